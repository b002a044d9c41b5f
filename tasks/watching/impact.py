"""What came of a snapshot, or of a document in it: versions, and the answers that they gave. From store and log."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Store
from tasks.documents import snapshots
from tasks.documents.forgetting import Doomed, dataset_of
from tasks.documents.manifest import CorpusSnapshot
from tasks.errors import BadInput, NotFound
from tasks.registry import records
from tasks.registry.records import VersionRecord
from tasks.retrieval import forgetting as documents
from tasks.watching.compaction import typed
from tasks.watching.log import CLOSED, folder, parsed, segments
from tasks.watching.parts import BATCH, rows
from tasks.watching.parts import records as parts_of
from tasks.watching.shipping import place, shipped
from tasks.watching.tracing import Origin, origin

EXAMPLES = 5
COLUMNS = ("request_id", "version", "time", "output")
Tell = Callable[[str, str, list[str]], None]  # release, version, request ids


class Made(BaseModel):
    """A version made of the snapshot, and the rows that it answered: `cited` are those that name the document, None
    where answers name none. `first`, `last` (s since the epoch) and `examples` are of the rows that count: those that
    cite, or all."""

    model_config = ConfigDict(frozen=True)

    origin: Origin
    answers: int = 0
    cited: int | None = None
    first: float | None = None
    last: float | None = None
    examples: tuple[str, ...] = ()


class Impact(BaseModel):
    """`same` are snapshots of the dataset with the same content, or with the same revision of the document."""

    model_config = ConfigDict(frozen=True)

    snapshot: str
    digest: str
    document: str | None = None
    same: tuple[str, ...] = ()
    made: tuple[Made, ...] = ()


@dataclass
class Count:
    """The answers of one version, counted batch by batch."""

    answers: int = 0
    cited: int = 0
    first: float | None = None
    last: float | None = None
    ids: list[str] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch) -> None:
        if not len(batch):
            return
        ends = pc.min_max(batch["time"].cast(pa.int64()))
        low, high = (ends[name].as_py() / 1e6 for name in ("min", "max"))
        self.first = low if self.first is None else min(self.first, low)
        self.last = high if self.last is None else max(self.last, high)
        if len(self.ids) < EXAMPLES:
            self.ids = list(dict.fromkeys([*self.ids, *batch["request_id"].to_pylist()]))[:EXAMPLES]


def of_snapshot(store: Store, root: Path, dataset: str, number: int, tell: Tell) -> Impact:
    """What was made of a snapshot; `tell` gets the ids of the requests that came of it, some thousands at a time."""
    manifest = read(store, dataset, number)
    all_there = {name: str(orjson.loads(store.read(name))["digest"]) for name in store.list(f"snapshots/{dataset}")}
    same = sorted(int(name[-11:-5]) for name, digest in all_there.items() if digest == manifest["digest"])
    return Impact(
        snapshot=f"{dataset}@{number}",
        digest=manifest["digest"],
        same=tuple(f"{dataset}@{one}" for one in same if one != number),
        made=tuple(_made(store, root, lambda one: _is_of(one, dataset, number), None, tell)),
    )


def of_document(store: Store, root: Path, dataset: str, number: int, document: str, tell: Tell) -> Impact:
    """The same for a document as it stood in a snapshot: for every version that holds this revision of it.

    Needs an open store. NotFound: the snapshot did not hold it. BadInput: the dataset is no folder of documents."""
    manifest = read(store, dataset, number)
    if "manifest" not in manifest:
        raise BadInput(f"{dataset} is a table and holds no documents; ask for {dataset}@{number} alone.")
    held = {one.path: one.digest for one in snapshots.documents(CorpusSnapshot.model_validate(manifest))}
    if document not in held:
        known = ", ".join([*held][:EXAMPLES]) or "none that is known any more"
        raise NotFound(f"{dataset}@{number} holds no document {document!r}; it holds: {known}.")
    alike = {
        one.version: [other.path for other in snapshots.documents(one) if other.digest == held[document]]
        for one in snapshots.history(dataset)
    }
    paths = tuple(sorted({path for found in alike.values() for path in found}))
    doomed = Doomed(dataset=dataset, document=document, paths=paths, digests=(held[document],))
    return Impact(
        snapshot=f"{dataset}@{number}",
        digest=held[document],
        document=document,
        same=tuple(f"{dataset}@{one}" for one, found in alike.items() if found and one != number),
        made=tuple(_made(store, root, lambda one: documents.holds(store, one, doomed), paths, tell)),
    )


def read(store: Store, dataset: str, number: int) -> dict[str, str]:
    """The manifest of a snapshot as it is stored."""
    try:
        return dict(orjson.loads(store.read(f"snapshots/{dataset}/{number:06}.json")))
    except NotFound:
        known = ", ".join(f"{dataset}@{int(name[-11:-5])}" for name in store.list(f"snapshots/{dataset}")) or "none"
        raise NotFound(f"There is no snapshot {dataset}@{number}; of this dataset there are: {known}.") from None


def _is_of(record: VersionRecord, dataset: str, number: int) -> bool:
    return dataset_of(record) == dataset and record.tags.get("data.version") == str(number)


def _made(
    store: Store, root: Path, chosen: Callable[[VersionRecord], bool], paths: Sequence[str] | None, tell: Tell
) -> Iterator[Made]:
    """Release by release, each log read once."""
    for release in sorted({name.split("/")[1] for name in store.list("versions")}):
        origins = [origin(store, release, one) for one in records.versions(store, release) if chosen(one)]
        cite = paths if any(one.kind == "documents" for one in origins) else None
        counts = count(store, root, release, [str(one.version) for one in origins], cite, tell) if origins else {}
        for one in origins:
            found = counts[str(one.version)]
            told = {name: getattr(found, name) for name in ("answers", "first", "last")}
            cited = None if cite is None else found.cited
            yield Made(origin=one, **told, cited=cited, examples=tuple(found.ids))


def count(
    store: Store, root: Path, release: str, versions: Sequence[str], paths: Sequence[str] | None, tell: Tell
) -> Mapping[str, Count]:
    """The answers of some versions in the log: in parts, in shipped segments and on this machine, in bounded memory."""
    counts, last = {version: Count() for version in versions}, dict.fromkeys(versions, "")
    for batch in _answers(store, root, release, set(versions), COLUMNS if paths is not None else COLUMNS[:3]):
        for version, found in counts.items():
            mine = batch.filter(pc.equal(batch["version"], version))
            found.answers += len(mine)
            if paths is not None:
                mine = mine.filter(_citing(mine["output"], paths))
                found.cited += len(mine)
            found.add(mine)
            ids = [one for one in dict.fromkeys(mine["request_id"].to_pylist()) if one != last[version]]
            if ids:
                tell(release, version, ids)
                last[version] = ids[-1]
    return counts


def _citing(outputs: pa.Array, paths: Sequence[str]) -> pa.Array:
    """Which answers name one of the documents; only those are parsed whose text has a path in it."""
    mask = [False] * len(outputs)
    for path in paths:
        near = pc.fill_null(pc.match_substring(outputs, orjson.dumps(path).decode()), False)
        for row in pc.indices_nonzero(near).to_pylist():
            mask[row] = mask[row] or path in orjson.loads(outputs[row].as_py()).get("documents", ())
    return pa.array(mask, pa.bool_())


def _answers(
    store: Store, root: Path, release: str, versions: set[str], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Segments are listed before the parts: what becomes a part meanwhile is then in those."""
    here = {
        f"{place(release)}/{path.parent.name}/{path.stem}{CLOSED}": path for path in segments(folder(root, release))
    }
    there = shipped(store, release)
    known = parts_of(store, release)
    kept = [part for part in known if part.rows_in is not None and versions & part.versions.keys()]
    yield from rows(store, kept, columns=columns)
    for name in sorted({*here, *there} - {one for part in known for one in part.segments}):
        try:
            data = here[name].read_bytes() if name in here and here[name].exists() else store.read(name)
        except (FileNotFoundError, NotFound):
            continue  # it is in a part by now
        told = (one for one in parsed(io.BytesIO(data), []) if one.kind == "prediction")
        while some := list(islice(told, BATCH)):
            yield typed(some, [])[1].select(list(columns))
