"""`penstock forget`: a document out of every index, cache, golden set and version; then the proof, and what remains.

The list of forgotten documents is written first: whatever is killed later, the same command finishes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from flows import console, forgetting_log, running
from flows.orders import Order, recipe_of
from flows.remains import remains
from tasks.artifacts import Store, opened
from tasks.documents import forgetting as documents
from tasks.documents import uploads
from tasks.documents.corpus import folder_source, path_of
from tasks.documents.forgetting import Doomed, dataset_of
from tasks.errors import BadInput, PenstockError, Refused
from tasks.registry import history, ledger, records
from tasks.registry.aliases import Registry
from tasks.registry.recipes import Recipe, release_names
from tasks.registry.records import VersionRecord
from tasks.retrieval import forgetting as made
from tasks.retrieval import golden_file
from tasks.retrieval.golden import FEWEST_ANSWERABLE, Question, document_words, why_stale
from tasks.retrieval.opening import server_of
from tasks.retrieval.proving import found_by_searching, found_in_store
from tasks.retrieval.specs import DocumentsRecipe
from tasks.settings import Settings
from tasks.sources.catalog import Dataset, FolderSource, load_dataset
from tasks.sources.folders import look
from tasks.sources.yamls import find
from tasks.watching.replicas import replicas

Table = list[tuple[str, int]]


def forget(name: str, document: str, note: str, settings: Settings) -> int:
    """0: it is gone, and searched for in vain; 1: something still holds it."""
    recipe = recipe_of(name, settings)
    dataset = load_dataset(recipe.dataset, settings.folders)
    if not isinstance(dataset.source, FolderSource):
        raise BadInput(f"{name} is made of {dataset.name}, which is no folder of documents: there is none to forget.")
    reason = f"forget {document}: {note}" if note else f"forget {document}"
    with opened(settings.store) as store:
        doomed = documents.begun(store, documents.trace(store, dataset.name, document))
        doomed = doomed if doomed.passages else doomed.model_copy(update={"passages": telling(store, doomed)})
        releases = treated(store, doomed, settings)
        refuse_impossible(store, dataset, doomed, releases, settings)
        documents.begin(store, doomed)
        listed = ", ".join(doomed.paths)
        console.out.print(
            f"{document} is on the list of forgotten documents of {dataset.name}: nothing takes it in again."
        )
        if doomed.paths != (document,):
            console.out.print(f"  it is known as {listed}: all of these go")
        rebuild_all(store, doomed, releases, reason, settings)
        cleared = clear_golden(doomed, settings)
        done = [*cleared, *removed(store, doomed, releases, settings)]
        settled(store, releases)
        done += forgetting_log.clear(store, releases, documents.telling(doomed), settings)
        return told(store, doomed, releases, done, settings)


def on_dataset(dataset: str, settings: Settings) -> list[Recipe]:
    """The recipes that name the dataset today."""
    known = [recipe_of(name, settings) for name in release_names(settings.folders)]
    return [one for one in known if one.dataset == dataset]


def treated(store: Store, doomed: Doomed, settings: Settings) -> list[str]:
    """Every release on the dataset, and every other that has versions with the document from when it was on it."""
    names = {one.name for one in on_dataset(doomed.dataset, settings)}
    return sorted(names | {name for name in trained(store) if held_by(store, name, doomed)})


def trained(store: Store) -> list[str]:
    """The releases that have versions, whether or not there is still a recipe."""
    return sorted({place.split("/")[1] for place in store.list("versions")})


def held_by(store: Store, name: str, doomed: Doomed) -> set[int]:
    return {one.version for one in records.versions(store, name) if made.holds(store, one, doomed)}


def telling(store: Store, doomed: Doomed) -> tuple[str, ...]:
    return tuple(documents.passages(*made.chunks_of(store, doomed)))


def standing(store: Store, name: str, doomed: Doomed) -> set[int]:
    return held_by(store, name, doomed) - history.forgotten(ledger.entries(store, name))


def refuse_impossible(
    store: Store, dataset: Dataset, doomed: Doomed, releases: Sequence[str], settings: Settings
) -> None:
    """Before anything is changed: an index of nothing cannot be built, one without questions is not judged, and a
    champion without a recipe is not replaced."""
    source = folder_source(dataset, {})
    there = {path_of(found.path, source) for found in look(source).files}
    there |= {one.path for one in uploads.listed(store, dataset.name, None)}
    if there <= {*doomed.paths}:
        raise Refused(
            f"{doomed.document} is the only document of {dataset.name}, and there is no index of nothing: put another "
            f"document there first, or delete the data root {settings.root}."
        )
    known = release_names(settings.folders)
    if lost := [name for name in releases if name not in known and standing(store, name, doomed)]:
        raise Refused(
            f"{lost[0]} has versions that hold {doomed.document} and no recipe any more, so they cannot be replaced: "
            f"put {settings.project / 'releases' / lost[0]}.yaml back first; any dataset with other documents will do."
        )
    left = there - {*doomed.paths}
    texts = document_words(made.newest_chunks(store, trained(store), doomed.dataset))
    for path in golden_files(doomed.dataset, settings):
        rest = [one for one in golden_file.about(path, doomed.paths)[1] if usable(one, left, texts)]
        if len(rest) < FEWEST_ANSWERABLE:
            raise Refused(
                f"Without the questions about {doomed.document} only {len(rest)} answerable ones are left in {path} "
                f"whose document and quote are there, and {FEWEST_ANSWERABLE} are needed: write some about other "
                "documents (and train, where you edited these), or take `golden` out of the recipe."
            )


def usable(question: Question, there: set[str], texts: dict[str, list[str]]) -> bool:
    """Whether a training will ask it: its document is there, with its quote as far as the document was read before."""
    return question.document in there and (question.document not in texts or why_stale(question, texts) is None)


def golden_files(dataset: str, settings: Settings) -> list[Path]:
    """The files of golden questions that are the user's own."""
    indexes = [one for one in on_dataset(dataset, settings) if isinstance(one, DocumentsRecipe)]
    names = sorted({one.golden for one in indexes if one.golden})
    files = [find("golden", name, settings.folders) for name in names]
    return [path for path in files if path.is_relative_to(settings.project.resolve())]


def clear_golden(doomed: Doomed, settings: Settings) -> Table:
    """Say which questions go, then take them out."""
    done = []
    for path in golden_files(doomed.dataset, settings):
        out, _ = golden_file.about(path, doomed.paths)
        for question in out:
            console.out.print(f"  taken out of {path}: {question.id}: {question.question}")
        golden_file.take_out(path, doomed.paths)
        done.append((f"questions in {path}", len(out)))
    return done


def rebuild_all(store: Store, doomed: Doomed, releases: Iterable[str], reason: str, settings: Settings) -> None:
    """Each that was trained, in turn; where one fails, say how far it went."""
    rebuilt, known = list[str](), release_names(settings.folders)
    for name in releases:
        if name not in known or not records.versions(store, name):
            continue
        try:
            rebuild(store, name, doomed, reason, settings)
        except PenstockError:
            done = f", and versions with it of {', '.join(rebuilt)} are withdrawn" if rebuilt else ""
            console.out.print(
                f"{name} was not rebuilt. {doomed.document} stays on the list, its uploads are deleted{done}; its text "
                "is still in the store. Mend what follows, and run this again to finish."
            )
            raise
        rebuilt.append(name)


def rebuild(store: Store, name: str, doomed: Doomed, reason: str, settings: Settings) -> None:
    """A champion without the document, then no way back to those with it."""
    replace(store, name, lambda: held_by(store, name, doomed), doomed.document, reason, settings)


def replace(store: Store, name: str, held: Callable[[], set[int]], what: str, reason: str, settings: Settings) -> None:
    """A champion that is none of the versions `held`, by the gate or against it; then these are withdrawn for ever."""
    outcome = running.train(Order(release=name), settings)
    tainted = held()
    champion = history.champion(ledger.entries(store, name))
    if champion in tainted and outcome.version is not None:
        console.out.print(f"The gate did not promote version {outcome.version}; forgetting does not wait for quality:")
        running.move(settings, name, lambda road: road.approve(outcome.version or 0, override=True, note=reason))
        champion = history.champion(ledger.entries(store, name))
    if champion in tainted:
        raise Refused(f"Version {champion} of {name} still holds {what}, since no version replaced it.")
    from flows.release import road  # Prefect reads its environment when it is imported, and now it stands

    with road(name, settings) as way:
        gone = way.forget(tainted, reason)
    if gone:
        numbers = ", ".join(map(str, gone))
        console.out.print(f"Withdrawn for ever, since they held it: version {numbers} of {name}.")


def removed(store: Store, doomed: Doomed, releases: Sequence[str], settings: Settings) -> Table:
    """Everything out of the store, MLflow, the Qdrant server and this machine's downloads."""
    spare, shared = stays(store, doomed), set(documents.elsewhere(store, doomed))
    with collections(releases, settings) as drop:
        done = list(made.remove(store, doomed, spare, shared, drop))
    files = 0
    with Registry(settings.mlflow_url) as registry:
        for name in releases:
            for record in forgotten(store, name):
                registry.remove_files(registry.version(name, record.version))
                if record.plots and record.plots.uri not in spare:
                    store.remove(record.plots.uri)
                files += 1
                remove_local(name, record.version, settings)
    return [*done, ("versions emptied in MLflow (release, prompt, plots, tables)", files)]


def stays(store: Store, doomed: Doomed) -> set[str]:
    """What versions are made of that do not hold it, of this dataset, and all those of others."""
    clean: list[VersionRecord] = []
    for name in trained(store):
        gone = history.forgotten(ledger.entries(store, name)) | held_by(store, name, doomed)
        clean += [one for one in records.versions(store, name) if one.version not in gone]
    return made.needed(store, clean)


def forgotten(store: Store, name: str) -> list[VersionRecord]:
    gone = history.forgotten(ledger.entries(store, name))
    return [one for one in records.versions(store, name) if one.version in gone]


@contextmanager
def collections(names: Sequence[str], settings: Settings) -> Iterator[made.Drop]:
    """Drops an index of these releases on the Qdrant server, where there is one."""
    if settings.qdrant is None:
        yield lambda _: None
        return
    from tasks.retrieval.server import connect, remove

    with closing(connect(*settings.qdrant)) as client:

        def drop(index: str) -> None:
            for name in names:
                remove(client, name, index)

        yield drop


def remove_local(name: str, version: int, settings: Settings) -> None:
    """What this machine keeps of a version: its download, and its page."""
    here = settings.root / "downloads" / name / str(version)
    for path in sorted(here.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (settings.root / "reports" / f"{name}-v{version}.html").unlink(missing_ok=True)


def settled(store: Store, releases: Sequence[str]) -> None:
    """Wait for the services: what they answer from here on does not tell of it."""
    for release in releases:
        champion = history.champion(ledger.entries(store, release))
        for beat in replicas(store, release):
            answers = running.settled_version(beat.url, champion)
            console.out.print(f"  {beat.url} answers with version {answers} of {release}")


def told(store: Store, doomed: Doomed, releases: Sequence[str], done: Table, settings: Settings) -> int:
    """The tables of what went and what remains, and the proof."""
    console.show(f"removed of {doomed.document}", ("what", "number"), [row for row in done if row[1]])
    server = server_of(settings.qdrant)
    spare, shared = stays(store, doomed), documents.elsewhere(store, doomed)
    faults = list(found_in_store(store, doomed, spare, set(shared)))
    for release in releases:
        champion = history.champion(ledger.entries(store, release))
        if champion is not None:
            record = records.version(store, release, champion)
            searched = "index" in made.parts(store, record)
            if searched and dataset_of(record) == doomed.dataset:  # others may hold the same file: see what remains
                faults += found_by_searching(store, record, doomed, server)
    faults += forgetting_log.left(store, releases, documents.telling(doomed), settings)
    rows = remains(store, doomed, [*releases], shared, settings)
    console.show("what remains", ("what", "where", "until"), rows)
    if faults:
        console.show("NOT forgotten: it is still found in", ("where",), [(fault,) for fault in faults])
        return 1
    documents.finish(store, doomed)
    text = f"{len(doomed.passages)} passages of its text" if doomed.passages else "no text of it is left to look for"
    console.out.print(
        f"Proof: the champion's index was searched, every file of the store, the prediction log and the traces were "
        f"read, by its names, its {len(doomed.digests)} digests and its text ({text}): nothing was found."
    )
    return 0
