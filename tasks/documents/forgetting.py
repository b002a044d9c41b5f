"""A document that is to be forgotten: under which names and revisions it was known, and words that only it has."""

import re
from collections.abc import Callable, Iterable, Iterator, Set

import orjson
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Store, canonical, sha256
from tasks.documents import uploads
from tasks.documents.chunk_file import Chunk
from tasks.documents.manifest import CorpusSnapshot, Document
from tasks.documents.snapshots import documents, history
from tasks.errors import NotFound, Refused
from tasks.registry import ledger, records
from tasks.registry.history import forgotten

WORD = re.compile(r"[^\W_]+")
RUN = 8  # words of a telling passage
SHORTEST = 20  # its characters
PASSAGES = 5
NOTES = "forgetting"
ESCAPED = re.compile(rb"(?:\\+u[0-9a-fA-F]{4})+")  # letters as JSON in ASCII has them, or JSON within JSON


class Doomed(BaseModel):
    """`paths` are its names in the corpus, `digests` its revisions (of what was rendered: the source's too).

    `passages` are runs of words by which its text is known wherever it stands; no other document has them."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    document: str
    paths: tuple[str, ...]
    digests: tuple[str, ...]
    passages: tuple[str, ...] = ()

    def names(self, path: str | None, digest: str | None = None) -> bool:
        return path in self.paths or digest in self.digests

    def mentions(self, data: bytes) -> bool:
        """Whether stored bytes name one of its revisions."""
        return any(digest.encode() in data for digest in self.digests)


def trace(store: Store, dataset: str, document: str) -> Doomed:
    """All revisions and names of a document, renames followed back. NotFound where the corpus never held it."""
    snapshots = history(dataset)
    held = [(snapshot, documents(snapshot)) for snapshot in snapshots]
    taken = [*uploads.listed(store, dataset, None), *uploads.deleted(store, dataset)]
    refuse_renamed(snapshots, held[-1][1] if held else [], document)
    names, digests = {document}, {one.digest for one in taken if one.path == document}
    for snapshot, those in reversed(held):
        digests |= {one.digest for one in those if one.path in names}
        names |= {old for old, new in snapshot.changes.renamed if new in names}
    if not digests and document not in uploads.forgotten(store, dataset).paths:
        known = ", ".join(one.path for one in (held[-1][1] if held else [])[:5]) or "none yet"
        raise NotFound(f"No corpus of {dataset} ever held {document!r}; name its path there, as in: {known}.")
    names |= {one.path for _, those in held for one in those if one.digest in digests}
    other = {one.path for one in (held[-1][1] if held else []) if one.digest not in digests} - {document}
    digests |= set(_sources(store, digests))
    return Doomed(
        dataset=dataset, document=document, paths=tuple(sorted(names - other)), digests=tuple(sorted(digests))
    )


def refuse_renamed(snapshots: list[CorpusSnapshot], present: list[Document], document: str) -> None:
    """A document is forgotten by its name of today, or its later revisions would stay."""
    now = document
    for snapshot in snapshots:
        now = dict(snapshot.changes.renamed).get(now, now)
    here = {one.path for one in present}
    if document not in here and now in here:
        raise Refused(f"{document} is called {now} today; forget it by that name, its older names go with it.")


def passages(own: Iterable[Chunk], others: Iterable[Chunk]) -> list[str]:
    """Up to five runs of words out of the document's chunks that stand in no other chunk."""
    found = dict.fromkeys(run for chunk in own for line in chunk.text.splitlines() for run in _runs(line))
    for chunk in others:
        text = squeezed(chunk.text)
        for run in [run for run in found if f" {run} " in text]:
            del found[run]
    told = [*found]
    return [told[place * len(told) // PASSAGES] for place in range(PASSAGES)] if len(told) > PASSAGES else told


def told_in(data: bytes, runs: Iterable[str]) -> bool:
    """Whether one of the passages stands in some bytes, as text or as JSON."""
    data = ESCAPED.sub(lambda found: _letters(found[0]), data)
    close = [run for run in runs if max(run.split(), key=len).encode() in data]
    if not close:
        return False
    text = squeezed(data.replace(rb"\n", b" ").decode(errors="replace"))
    return any(f" {run} " in text for run in close)


def telling(doomed: Doomed) -> Callable[[bytes], bool]:
    """Whether a line of a log, or a trace, names the document (in JSON, or JSON within JSON) or has its text."""
    names = [orjson.dumps(path) for path in doomed.paths]
    names += [orjson.dumps(name.decode())[1:-1] for name in names]
    return lambda data: any(name in data for name in names) or told_in(data, doomed.passages)


def _letters(escaped: bytes) -> bytes:
    codes = bytes.fromhex(re.sub(rb"\\+u", b"", escaped).decode())
    return codes.decode("utf-16-be", errors="replace").encode()


def squeezed(text: str) -> str:
    """The words alone."""
    return f" {' '.join(WORD.findall(text))} "


def elsewhere(store: Store, doomed: Doomed) -> dict[str, list[str]]:
    """The revisions that other datasets hold, with those datasets' names: their bytes are not ours to remove.

    A dataset holds what its newest corpus does, its uploads, and whatever a version that stands was made of."""
    found: dict[str, list[str]] = {}
    for place in sorted({*_newest(store), *_standing(store)}):
        name = place.split("/")[1]
        if name != doomed.dataset and "manifest" in orjson.loads(data := store.read(place)):
            for one in documents(CorpusSnapshot.model_validate_json(data)):
                found.setdefault(one.digest, []).append(name)
    for name in sorted({place.split("/")[1] for place in store.list("uploads")} - {doomed.dataset}):
        for taken in uploads.listed(store, name, None):
            found.setdefault(taken.digest, []).append(name)
    return {digest: sorted(set(found[digest])) for digest in doomed.digests if digest in found}


def _newest(store: Store) -> Iterable[str]:
    return {place.split("/")[1]: place for place in store.list("snapshots")}.values()


def _standing(store: Store) -> Iterator[str]:
    """The snapshots of versions that were not withdrawn for ever."""
    there = set(store.list("snapshots"))
    for release in sorted({place.split("/")[1] for place in store.list("versions")}):
        gone = forgotten(ledger.entries(store, release))
        for record in records.versions(store, release):
            place = f"snapshots/{dataset_of(record)}/{int(record.tags['data.version']):06}.json"
            if record.version not in gone and place in there:
                yield place


def dataset_of(record: records.VersionRecord) -> str:
    """What a version was made of; its recipe may name another dataset today."""
    return record.snapshot.partition("@")[0]


def begin(store: Store, doomed: Doomed) -> None:
    """From here on no corpus holds it; the notes let a run that is killed be finished with the same proof."""
    store.write(_notes(doomed), canonical(doomed.model_dump(mode="json")))
    uploads.forget(store, doomed.dataset, doomed.digests, [doomed.document])
    for one in uploads.listed(store, doomed.dataset, None):
        if doomed.names(one.path, one.digest):
            uploads.delete(store, doomed.dataset, one.id, None)


def begun(store: Store, doomed: Doomed) -> Doomed:
    """With what an interrupted run knew, whose sources may be gone since."""
    try:
        known = Doomed.model_validate_json(store.read(_notes(doomed)))
    except NotFound:
        return doomed
    both = {name: tuple(sorted({*getattr(doomed, name), *getattr(known, name)})) for name in ("paths", "digests")}
    return doomed.model_copy(update=both | {"passages": known.passages or doomed.passages})


def unfinished(store: Store, dataset: str) -> list[str]:
    """Documents whose forgetting was begun and not proven."""
    notes = [Doomed.model_validate_json(store.read(name)) for name in store.list(f"{NOTES}/{dataset}")]
    return sorted(one.document for one in notes)


def finish(store: Store, doomed: Doomed) -> None:
    """Drop the notes, which hold a little of the text."""
    store.remove(_notes(doomed))


def _notes(doomed: Doomed) -> str:
    return f"{NOTES}/{doomed.dataset}/{sha256(doomed.document.encode())[:32]}.json"


def _runs(line: str) -> Iterator[str]:
    """Runs of words, one after the other; a script without spaces has few words, and long ones."""
    words = WORD.findall(line)
    for start in range(0, max(1, len(words) - RUN + 1), RUN):
        run = " ".join(words[start : start + RUN])
        if len(run) >= SHORTEST:
            yield run


def _sources(store: Store, digests: Set[str]) -> Iterator[str]:
    """Digests of the files that these documents were rendered from: a kept rendering begins with its own digest."""
    for name in store.list("pieces/rendered"):
        if store.read(name).partition(b"\n")[0].decode(errors="replace") in digests:
            yield name.rpartition("/")[2].partition("-")[0]
