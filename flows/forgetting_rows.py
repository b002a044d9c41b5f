"""`penstock forget --subject`: the rows of a person out of tables, versions, log and traces; the proof, what remains.

The tables that hold the rows go last: by them a run that was killed is finished by the next one."""

import mmap
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from flows import console, forgetting, forgetting_log, running, servers
from flows.orders import recipe_of
from flows.remains import Row, bentos, files
from tasks.artifacts import RemoteStore, Store, opened
from tasks.errors import BadInput, PenstockError, Refused
from tasks.processes import locked
from tasks.registry import history, ledger, records
from tasks.registry.aliases import Registry
from tasks.registry.recipes import release_names
from tasks.registry.records import VersionRecord
from tasks.settings import Settings
from tasks.sources import fetch, reading
from tasks.sources.catalog import Dataset, FolderSource, load_dataset
from tasks.sources.contracts import load_contract
from tasks.sources.frames import read_table
from tasks.watching import log, subjects
from tasks.watching.forgetting import Told
from tasks.watching.subjects import Person, Traces

Table = list[tuple[str, int]]


def forget(name: str, value: str, column: str | None, note: str, settings: Settings) -> int:
    """0: the person is gone, and searched for in vain; 1: something still holds a row of theirs."""
    dataset = load_dataset(recipe_of(name, settings).dataset, settings.folders)
    person = person_of(dataset, value, column, settings)
    reason = f"forget a person by {person.column}" + (f": {note}" if note else "")  # the ledger keeps no value
    with opened(settings.store) as store, locked(settings.root / "locks" / f"forget-{dataset.name}"):
        refuse_present(dataset, person, settings)
        found = subjects.traces(store, person)
        standing = {one: withdrawable(store, one, found) for one in found.versions}
        refuse_lost(standing, settings)
        running.connect(settings)
        servers.wait(settings)
        replace_all(store, person, standing, reason, settings)
        done = emptied(store, found, settings)
        releases = sorted({*found.versions, *(one.name for one in forgetting.on_dataset(dataset.name, settings))})
        forgetting.settled(store, releases)
        told = subjects.telling(person, key_of(settings))
        done += forgetting_log.clear(store, releases, told, settings)
        done += [("cached results that quote the value", len([*quoting(person, drop=True)]))]
        done += subjects.remove(store, person, subjects.traces(store, person))
        return proven(store, person, releases, told, done, settings)


def person_of(dataset: Dataset, value: str, column: str | None, settings: Settings) -> Person:
    """BadInput where the dataset has no such column, or no rows at all."""
    if isinstance(dataset.source, FolderSource):
        raise BadInput(f"{dataset.name} is a folder of documents: name a DOCUMENT, there are no rows of a person.")
    known = load_contract(dataset.contract, settings.folders).columns
    named = column or dataset.group
    if named is None:
        raise BadInput(f"{dataset.name} names no `group` column: say --column, one of {', '.join(known)}.")
    if named not in known:
        raise BadInput(f"{dataset.name} has no column {named!r}; there are: {', '.join(known)}.")
    return Person(dataset=dataset.name, column=named, value=value)


def key_of(settings: Settings) -> bytes | None:
    return settings.pseudonym_key.get_secret_value().encode() if settings.pseudonym_key else None


def refuse_present(dataset: Dataset, person: Person, settings: Settings) -> None:
    """Refused where the source still has a row of the person: the next training would read it again."""
    contract = load_contract(dataset.contract, settings.folders)
    table = reading.read(reading.pieces(fetch.fetch(dataset, {}, 0), dataset, contract), contract)
    if number := person.rows(read_table(table, [person.column])[person.column]):
        raise Refused(
            f"The source of {dataset.name} still has {number} rows with this {person.column}: delete them there first, "
            "or the next training reads them again. Nothing was changed."
        )


def withdrawable(store: Store, release: str, found: Traces) -> set[int]:
    """The versions made of the person's rows that were not withdrawn for ever yet."""
    return found.versions[release] - history.forgotten(ledger.entries(store, release))


def refuse_lost(standing: dict[str, set[int]], settings: Settings) -> None:
    lost = [name for name, versions in standing.items() if versions and name not in release_names(settings.folders)]
    if lost:
        raise Refused(
            f"{lost[0]} has versions that were made of such rows and no recipe any more, so they cannot be replaced: "
            f"put {settings.project / 'releases' / lost[0]}.yaml back first."
        )


def replace_all(store: Store, person: Person, standing: dict[str, set[int]], reason: str, settings: Settings) -> None:
    """A new champion for each release with such versions, made of the source as it is now."""
    for name, versions in standing.items():
        if not versions:
            continue
        held = partial(made_of, store, name, person)
        try:
            forgetting.replace(store, name, held, "such rows", reason, settings)
        except PenstockError:
            console.out.print(f"{name} was not replaced; mend what follows, and run this again to finish.")
            raise


def made_of(store: Store, name: str, person: Person) -> set[int]:
    return subjects.traces(store, person).versions.get(name, set())


def emptied(store: Store, found: Traces, settings: Settings) -> Table:
    """The files of withdrawn versions, in MLflow and here; and pages of windows: `penstock drift` draws them again."""
    number = 0
    with Registry(settings.mlflow_url) as registry:
        for name in found.versions:
            for record in withdrawn(store, name, found):
                registry.remove_files(registry.version(name, record.version))
                forgetting.remove_local(name, record.version, settings)
                store.remove(record.folder.uri)
                number += 1
    pages = [path for name in found.versions for path in (settings.root / "reports").glob(f"drift-{name}-*.html")]
    for path in pages:
        path.unlink()
    return [("versions emptied in MLflow", number), ("pages of windows", len(pages))]


def withdrawn(store: Store, name: str, found: Traces) -> Iterator[VersionRecord]:
    gone = history.forgotten(ledger.entries(store, name)) & found.versions[name]
    return (one for one in records.versions(store, name) if one.version in gone)


def quoting(person: Person, drop: bool) -> Iterator[str]:
    """Cached results that quote the value, such as an example of what broke the contract; they are made again."""
    from tasks.caching import records as folder  # Prefect reads its environment when it is imported

    told = value_in(person)
    for path in sorted(folder().glob("*")):
        if path.is_file() and told(path.read_bytes()):
            if drop:
                path.unlink()
            yield str(path)


def value_in(person: Person) -> Told:
    """Whether the value stands in some bytes, whatever its column is called there: between quotes or separators."""
    edge = rb"(?<![\w.-])" + re.escape(person.value.encode()) + rb"(?![\w.-])"
    return lambda data: re.search(edge, data) is not None


def proven(store: Store, person: Person, releases: list[str], told: Told, done: Table, settings: Settings) -> int:
    """The tables of what went and what remains, and the proof."""
    console.show(f"removed of a person in {person.dataset}", ("what", "number"), [row for row in done if row[1]])
    faults = [f"the table {uri}" for uri in sorted(subjects.traces(store, person).tables)]
    faults += forgetting_log.left(store, releases, told, settings)
    console.show("what remains", ("what", "where", "until"), [*remaining(store, person, releases, settings)])
    if faults:
        console.show("NOT forgotten: it is still found in", ("where",), [(fault,) for fault in faults])
        return 1
    console.out.print(
        f"Proof: every table of the store with a column {person.column}, the prediction log and the traces were read: "
        "nothing was found."
    )
    return 0


def in_file(path: Path, told: Told) -> bool:
    """Asked of the whole file, which may be a database: it is mapped, not read."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return told(data)  # type: ignore[arg-type]  # a buffer is all that is asked for
    except (FileNotFoundError, ValueError):  # a journal of a database that went, or a file of nothing
        return False


def remaining(store: Store, person: Person, releases: list[str], settings: Settings) -> Iterator[Row]:
    """What is out of reach, as far as it can be seen from here."""
    yield from bentos(store, releases, settings)
    told, skipped = value_in(person), {settings.root / "bentoml", *(log.folder(settings.root, one) for one in releases)}
    for path in files(settings.root, {folder.resolve() for folder in skipped}):
        if in_file(path, told):
            yield "the value in another file, of this person or not", str(path), "you look into it"
    yield f"answers to requests that did not tell {person.column}", "the prediction log", "PENSTOCK_LOG_DAYS are over"
    yield "files named by --file, and copies of the source", "where you keep them", "you delete the rows there"
    yield "digests, counts and sums that the rows were part of", "snapshots, windows, ledger, MLflow", "for good"
    yield "pages of databases that nothing points to any more", "MLflow, Prefect", "the database is packed (VACUUM)"
    if isinstance(store, RemoteStore):
        yield "copies on machines that read the store", "~/.cache/penstock there", "you delete that folder"
    yield "backups, images and copies made by others", "not known here", "they expire"
