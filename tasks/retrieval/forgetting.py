"""What was made of a forgotten document, taken out of the store: every step may be repeated.

What a step needs to find its part is removed by a later one, so a killed run is finished by the next."""

import io
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import closing, suppress
from pathlib import PurePosixPath

import numpy as np
import orjson

from tasks.artifacts import Artifact, Store
from tasks.documents.chunk_file import Chunk
from tasks.documents.forgetting import Doomed, dataset_of, told_in
from tasks.documents.manifest import Corpus, Document
from tasks.documents.snapshots import documents, load
from tasks.errors import NotFound
from tasks.registry import records
from tasks.registry.records import VersionRecord
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.store import Filters
from tasks.retrieval.vectors import drop, kept, key_of

Drop = Callable[[str], None]  # told the digest of an index that goes: where there is a server, it goes there as well


def parts(store: Store, record: VersionRecord) -> dict[str, Artifact]:
    """The large artifacts of a version, by what they are. NotFound: its release folder is gone."""
    made = orjson.loads(store.read(f"{record.folder.uri}/release.json"))
    return {name: Artifact.model_validate(made[name]) for name in ("index", "chunks", "pages") if made.get(name)}


def needed(store: Store, versions: Iterable[VersionRecord]) -> set[str]:
    """What versions that stay are made of, by uri."""
    found: set[str] = set()
    for record in versions:
        found |= {one.uri for one in (record.folder, record.plots) if one}
        try:
            made = parts(store, record)
            images = _images(store.read(made["pages"].uri)) if "pages" in made else {}
        except NotFound:
            continue  # gone from the store: nothing here is needed for it
        found |= {one.uri for one in made.values()} | {uri for those in images.values() for uri in those}
    return found


def holds(store: Store, record: VersionRecord, doomed: Doomed) -> bool:
    """Whether a version of the document's dataset has it among its chunks or page images.

    A document that could not be read is in no version. Where chunks or images are gone, the version's corpus is asked,
    and one whose corpus is gone as well counts. A version of another dataset is that dataset's affair."""
    if dataset_of(record) != doomed.dataset:
        return False
    try:
        made = parts(store, record)
        if "chunks" not in made:  # an adapter: what it was tuned on, it holds
            learned = corpus_of(record)
            return not learned or any(one.digest in doomed.digests for one in learned)
        lines = (orjson.loads(line) for line in store.read(made["chunks"].uri).splitlines())
        if any(line["revision"] in doomed.digests for line in lines):
            return True
        return "pages" in made and not _images(store.read(made["pages"].uri)).keys().isdisjoint(doomed.paths)
    except NotFound:
        there = corpus_of(record)
        return not there or any(one.digest in doomed.digests for one in there)


def newest_chunks(store: Store, releases: Iterable[str], dataset: str) -> list[Chunk]:
    """The chunks of the dataset's newest version whose files are there."""
    found = [one for name in releases for one in records.versions(store, name) if dataset_of(one) == dataset]
    for record in sorted(found, key=lambda one: int(one.tags["data.version"]), reverse=True):
        with suppress(NotFound):
            if "chunks" not in (made := parts(store, record)):
                continue  # an adapter
            lines = store.read(made["chunks"].uri).splitlines()
            return [Chunk.model_validate(orjson.loads(line)) for line in lines]
    return []


def corpus_of(record: VersionRecord) -> list[Document]:
    """The documents that a version was made of; none where that is not known any more."""
    try:
        return documents(load(dataset_of(record), int(record.tags["data.version"])))
    except NotFound:
        return []


def remove(store: Store, doomed: Doomed, spare: Set[str], shared: Set[str], server: Drop) -> Iterator[tuple[str, int]]:
    """Take everything out; what it was and how many. `spare` stays, and so do revisions that others share."""
    own, rest = chunks_of(store, doomed)
    ids, keys = {one.id for one in own}, {key_of(one.embedded) for one in own} - {key_of(one.embedded) for one in rest}
    alone = doomed.model_copy(update={"digests": tuple(one for one in doomed.digests if one not in shared)})

    def gone(names: Iterable[str]) -> int:
        going = [name for name in names if name not in spare]
        for name in going:
            store.remove(name)
        return len(going)

    doomed_indexes = [one for one in indexes(store) if one not in spare and holding(store, one, doomed)]
    for one in doomed_indexes:
        server(PurePosixPath(one).name)
    yield "indexes", gone(doomed_indexes)
    releases = list(_releases(store, doomed))
    yield "adapters, merged models, unfinished trainings", gone(_tuned(store, {*releases} - spare))
    yield "examples of an assistant, and answers to them", gone(_examples(store, doomed, ids))
    yield "release folders (golden answers, prompt)", gone(releases)
    yield "question sets", gone(_rows(store, "questions", doomed, ids))
    yield "scores of questions (answers, quotes)", gone(_rows(store, "scores", doomed, ids))
    pictures, listings = _pages(store, alone, spare)
    yield "page images", gone(pictures)
    yield "lists of page images", gone(listings)
    yield "vector files", gone(_vectors(store, keys))
    models = {name.split("/")[1] for name in store.list("embeddings")}
    yield "cached embeddings", sum(drop(store, model, keys) for model in models)
    yield "receipts of trainings", gone(_receipts(store, doomed))
    yield "parsed corpora", gone(name for name in store.list("parsed") if doomed.mentions(store.read(name)))
    yield "chunk files", gone(name for name in store.list("chunks") if doomed.mentions(store.read(name)))
    yield "originals", gone(raw_of(store, alone))
    yield "per-document caches", gone(pieces_of(store, alone))


def chunks_of(store: Store, doomed: Doomed) -> tuple[list[Chunk], list[Chunk]]:
    """The document's chunks in all chunk files and caches, and everybody else's, each once."""
    found: dict[bytes, Chunk] = {}
    for name in [*store.list("chunks"), *pieces_of(store, doomed, "chunks")]:
        for line in store.read(name).splitlines():
            if line.startswith(b"{") and line not in found:
                found[line] = Chunk.model_validate(orjson.loads(line))
    own = [one for one in found.values() if one.revision in doomed.digests]
    return own, [one for one in found.values() if one.revision not in doomed.digests]


def indexes(store: Store) -> list[str]:
    """The index folders of the store."""
    return sorted({"/".join(name.split("/")[:3]) for name in store.list("indexes")})


def holding(store: Store, index: str, doomed: Doomed) -> int:
    """How many chunks of the document an index holds; one that was damaged answers nothing and counts as holding."""
    artifact = Artifact(uri=index, digest=PurePosixPath(index).name, kind="indexes")
    if not store.whole(artifact):
        return 1
    with closing(EdgeIndex(store.path(artifact))) as opened:
        if not opened.count(Filters(documents=doomed.paths)):
            return 0
        return sum(one.payload["revision"] in doomed.digests for page in opened.points() for one in page)


def raw_of(store: Store, doomed: Doomed) -> list[str]:
    """The document's bytes, where they are stored."""
    names = {f"documents/{digest[:2]}/{digest}" for digest in doomed.digests}
    return [name for digest in doomed.digests for name in store.list(f"documents/{digest[:2]}") if name in names]


def pieces_of(store: Store, doomed: Doomed, what: str = "") -> list[str]:
    """What is kept per document, of this one."""
    kinds = [what] if what else sorted({name.split("/")[1] for name in store.list("pieces")})
    places = {f"pieces/{kind}/{digest[:2]}": digest for kind in kinds for digest in doomed.digests}
    names = [name for place in places for name in store.list(place)]
    return [name for name in names if name.rpartition("/")[2].partition("-")[0] in doomed.digests]


def _releases(store: Store, doomed: Doomed) -> Iterator[str]:
    """Release folders, registered or not, of a corpus that held the document."""
    for name in store.list("releases"):
        if not name.endswith("/release.json"):
            continue
        made = orjson.loads(store.read(name))
        if "manifest" in made["inputs"] and made["inputs"]["snapshot"]["dataset"] == doomed.dataset:
            manifest = Artifact.model_validate(made["inputs"]["manifest"])
            if any(
                one.digest in doomed.digests for one in Corpus.model_validate_json(store.read(manifest.uri)).documents
            ):
                yield name.removesuffix("/release.json")


def _tuned(store: Store, going: Set[str]) -> Iterator[str]:
    """Weights that no release names which stays, and what killed trainings left: an adapter cannot unlearn, and which
    data the others learned from is not known. Those of other data are made again when they are needed."""
    kept = set[str]()
    for name in store.list("releases"):
        folder, _, file = name.rpartition("/")
        if file == "release.json" and folder not in going and (made := orjson.loads(store.read(name))).get("lineage"):
            digests = {row["what"]: row["digest"] for row in made["lineage"]}
            kept |= {f"adapters/{digests['adapter']}", f"models/{digests['merged model']}"}
    for kind in ("adapters", "models"):
        for name in sorted({"/".join(name.split("/")[:3]) for name in store.list(kind)}):
            if f"{kind}/{name.rpartition('/')[2]}" not in kept:
                yield name
    yield from sorted({"/".join(name.split("/")[:2]) for name in store.list("work")})


def _examples(store: Store, doomed: Doomed, chunks: Set[str]) -> Iterator[str]:
    """Answers to examples that were made of the document, which go first; then those, and what was proposed of it."""
    names = [orjson.dumps(path) for path in doomed.paths]
    made = [(name, data) for name, data in _whole(store, "examples") if any(path in data for path in names)]
    rows = [orjson.loads(line) for _, data in made for line in data.splitlines()]
    ids = {orjson.dumps(row["id"]) for row in rows if row.get("document") in doomed.paths}
    yield from (name for name, data in _whole(store, "answers") if any(one in data for one in ids))
    yield from (name for name, _ in made)
    for name, data in _whole(store, "proposals"):
        if told_in(data, doomed.passages) or any(orjson.dumps(one) in data for one in chunks):
            yield name


def _whole(store: Store, kind: str) -> Iterator[tuple[str, bytes]]:
    """Each artifact of a kind, with all that its files hold."""
    for name in sorted({"/".join(name.split("/")[:3]) for name in store.list(kind)}):
        yield name, b"".join(store.read(file) for file in store.list(name)) or store.read(name)


def _rows(store: Store, kind: str, doomed: Doomed, ids: Set[str]) -> Iterator[str]:
    """Files of questions, or of their scores, that name the document or one of its chunks, or quote it.

    Other rooms keep their own scores there, in other formats."""
    for name in store.list(kind):
        if not name.endswith(".json"):
            continue
        data = store.read(name)
        rows = orjson.loads(data).get("questions", [])
        if told_in(data, doomed.passages) or any(
            row.get("document") in doomed.paths
            or not ids.isdisjoint([*row.get("found", ()), *row.get("read", ())])
            or not set(doomed.paths).isdisjoint(row.get("cited", ()))
            for row in rows
        ):
            yield name


def _pages(store: Store, doomed: Doomed, spare: Set[str]) -> tuple[list[str], list[str]]:
    """The document's page images, and the lists that name them; an image that another document shows stays."""
    listings = {name: _images(store.read(name)) for name in store.list("pages") if name.endswith(".json")}
    made = [orjson.loads(store.read(name).partition(b"\n")[2]) for name in pieces_of(store, doomed, "images")]
    own = {Artifact.model_validate(one).uri for pages in made for one in pages.values()}
    going = [name for name, images in listings.items() if any(own & images.get(path, set()) for path in doomed.paths)]
    own |= {uri for name in going for path in doomed.paths for uri in listings[name].get(path, set())}
    theirs = [uris for images in listings.values() for path, uris in images.items() if path not in doomed.paths]
    return sorted(own - spare - {uri for uris in theirs for uri in uris}), going


def _images(data: bytes) -> dict[str, set[str]]:
    return {path: {one["uri"] for one in pages.values()} for path, pages in orjson.loads(data).items()}


def _vectors(store: Store, keys: Set[str]) -> Iterator[str]:
    """Files of vectors with a row of the document: a text can be guessed from its vector."""
    models = {name.split("/")[1] for name in store.list("embeddings")}
    rows = {row.tobytes() for model in models for key, row in kept(store, model).items() if key in keys}
    for name in store.list("vectors"):
        if any(row.tobytes() in rows for row in np.load(io.BytesIO(store.read(name)), allow_pickle=False)):
            yield name


def _receipts(store: Store, doomed: Doomed) -> Iterator[str]:
    """Receipts of trainings that name what is gone, or were asked about the document: they replay nothing any more."""
    names = [orjson.dumps(path) for path in doomed.paths]
    for name in store.list("receipts"):
        steps = orjson.loads(data := store.read(name)).get("steps", [])
        built = [Artifact.model_validate(one) for step in steps for one in step["artifacts"]]
        asked = any(path in data for path in names) or told_in(data, doomed.passages)
        if asked or any(one.kind == "indexes" and not store.whole(one) for one in built):
            yield name
