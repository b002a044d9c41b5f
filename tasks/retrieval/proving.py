"""The proof that a document is forgotten: the champion is searched for it, and so is every file of the store."""

import io
import zipfile
from collections.abc import Callable, Iterator, Set
from contextlib import closing
from pathlib import Path
from typing import IO

from tasks.artifacts import Artifact, Store
from tasks.documents.forgetting import NOTES, Doomed, told_in
from tasks.errors import NotFound
from tasks.registry.records import VersionRecord
from tasks.retrieval.forgetting import holding, indexes, pieces_of, raw_of
from tasks.retrieval.opening import Server, open_index
from tasks.retrieval.points import EVERYTHING
from tasks.retrieval.served import read_release
from tasks.retrieval.store import Filters

LIMIT, PREFETCH = 10, 100
LOG = "predictions/"  # kept for its time, and told among what remains
BLOCK, OVERLAP = 8 << 20, 64 << 10  # bytes


def found_by_searching(store: Store, record: VersionRecord, doomed: Doomed, server: Server | None) -> Iterator[str]:
    """Asks a version's index for the document's chunks, then for its passages."""
    release = str(record.folder.meta["release"])
    index = read_release(store.path(record.folder)).index
    piece: Callable[[Artifact], Path] = store.path
    with closing(open_index(release, index, piece, server)) as opened:
        where = f"the index of {release} version {record.version}"
        hits = [hit for run in doomed.passages for hit in opened.search(None, run, EVERYTHING, LIMIT, PREFETCH)]
        if opened.count(Filters(documents=(doomed.document,))):
            yield f"{where} has chunks of {doomed.document}"
        if any(hit.chunk.revision in doomed.digests for hit in hits):
            yield f"{where} finds {doomed.document} by its text"


def found_in_store(store: Store, doomed: Doomed, spare: Set[str], shared: Set[str]) -> Iterator[str]:
    """What of the store still holds it: by its digests, in the indexes, and by its passages in every file."""
    alone = doomed.model_copy(update={"digests": tuple(one for one in doomed.digests if one not in shared)})
    yield from raw_of(store, alone)
    yield from pieces_of(store, alone)
    yield from (name for name in indexes(store) if name not in spare and holding(store, name, doomed))
    others = doomed.model_copy(update={"digests": tuple(shared)})
    theirs = {*spare, *raw_of(store, others), *pieces_of(store, others)} if shared else set()
    for name in store.list(""):
        if name.startswith((f"{NOTES}/", LOG)) or {name, "/".join(name.split("/")[:3])} & theirs:
            continue
        try:
            data = store.read(name)
        except NotFound:
            continue  # a temporary file of another process
        if told_in_file(io.BytesIO(data), doomed.passages):
            yield name


def told_in_file(file: IO[bytes], passages: tuple[str, ...]) -> bool:
    """Whether one of the passages stands in a file, packed or not; one of any size is read block by block."""
    if told_in_blocks(file, passages):
        return True
    file.seek(0)
    if file.read(2) != b"PK" or not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                if told_in_blocks(member, passages):
                    return True
    return False


def told_in_blocks(file: IO[bytes], passages: tuple[str, ...]) -> bool:
    """Each block begins with the end of the one before, so that a passage on the edge is seen as well."""
    overlap = max([OVERLAP, *(12 * len(run) for run in passages)])  # a letter may be escaped, and that again
    tail = b""
    while block := file.read(BLOCK):
        if told_in(tail + block, passages):
            return True
        tail = (tail + block)[-overlap:]
    return False
