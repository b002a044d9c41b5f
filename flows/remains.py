"""What a forgotten document leaves where `penstock forget` does not reach, and until when."""

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path

from flows import servers
from tasks.artifacts import RemoteStore, Store
from tasks.documents.corpus import folder_source, path_of
from tasks.documents.forgetting import Doomed
from tasks.registry import history, ledger
from tasks.retrieval.proving import told_in_file
from tasks.settings import Settings
from tasks.sources.catalog import load_dataset, masked
from tasks.sources.folders import look
from tasks.watching import log

Row = tuple[str, str, str]


def remains(
    store: Store, doomed: Doomed, releases: list[str], shared: Mapping[str, list[str]], settings: Settings
) -> list[Row]:
    found = [*source(doomed, settings)]
    found += [
        (f"the same file in the dataset {name}", name, "you run `penstock forget` for a release on it as well")
        for name in sorted({name for names in shared.values() for name in names})
    ]
    found += bentos(store, releases, settings)
    found += found_outside(doomed, releases, settings)
    found += always(store, doomed, settings)
    return found


def source(doomed: Doomed, settings: Settings) -> Iterator[Row]:
    """The file itself, which is the user's."""
    folder = folder_source(load_dataset(doomed.dataset, settings.folders), {})
    for found in look(folder).files:
        if path_of(found.path, folder) == doomed.document:
            where = masked(f"{folder.path}/{found.path}") if "://" in folder.path else found.place
            yield "the file itself, left out of every corpus", where, "you delete it"


def bentos(store: Store, releases: Iterable[str], settings: Settings) -> Iterator[Row]:
    """Built services of withdrawn versions: each has its index baked in, and so have the images made of them."""
    home = Path(servers.environment(settings)["BENTOML_HOME"])
    for release in releases:
        for version in sorted(history.forgotten(ledger.entries(store, release))):
            names = {"bentos": (f"v{version}-*", "bentoml delete"), "models": (f"v{version}", "bentoml models delete")}
            for kind, (pattern, command) in names.items():
                for path in sorted((home / kind / release).glob(pattern)):
                    tag = f"{release}:{path.name}"
                    yield f"{kind}: {tag}", str(path), f"`{command} {tag}`, and its images go"


def found_outside(doomed: Doomed, releases: list[str], settings: Settings) -> Iterator[Row]:
    """Other files of the data root that hold its text: logs, databases, what replicas fetched."""
    skipped = {settings.root / "bentoml", *(log.folder(settings.root, release) for release in releases)}
    if "://" not in settings.store:
        skipped.add(Path(settings.store))
    for path in files(settings.root, {folder.resolve() for folder in skipped}):
        try:
            with path.open("rb") as file:
                told = told_in_file(file, doomed.passages)
        except FileNotFoundError:
            continue  # a journal of a database, or what else comes and goes
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            yield f"a file that cannot be read ({error})", str(path), "you look into it"
            continue
        if told:
            yield "its text in another file", str(path), "you delete the file, or what wrote it does"
    for release in releases:
        for path in sorted((settings.root / "served" / release).glob("v*")):
            yield "release.json of a version served here (questions, no documents)", str(path), "you delete the folder"


def files(root: Path, skipped: Set[Path]) -> Iterator[Path]:
    """The files below a folder that stands, but for those in some folders."""
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if Path(place, name) not in skipped)
        yield from (path for name in sorted(names) if (path := Path(place, name)).is_file())


def always(store: Store, doomed: Doomed, settings: Settings) -> Iterator[Row]:
    """What is kept on purpose, and what nobody can see from here."""
    names = "snapshots and their lists of files, records of uploads, ledger, list of forgotten documents"
    yield "its name and digest, no text", names, "for good: they say that it was forgotten"
    yield "its name in runs and results, no text", "Prefect, MLflow", "you delete the runs"
    yield (
        "numbers of deleted traces and lines (counts, lengths, times)",
        "MLflow's metrics, watch/",
        "they are summed up",
    )
    yield "pages of databases that nothing points to any more", "MLflow, Prefect", "the database is packed (VACUUM)"
    if isinstance(store, RemoteStore):
        yield "copies on machines that read the store", "~/.cache/penstock there", "you delete that folder"
        yield "earlier versions of objects, where the bucket keeps them", masked(settings.store), "its lifecycle rule"
    yield "backups, images and copies made by others", "not known here", "they expire"
    yield "questions about it, where golden files are under git", "its history", "you rewrite it"
