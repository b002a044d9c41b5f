"""The log in the store: Parquet parts in a fixed order, each with a record that says what it holds.

`predictions/<release>/parts/<number>/<two>/<sha256>.parquet` are the rows, `.../parts/<number>.json` the record. A part
counts as soon as its record is there, which is created exclusively and names the segments that the part holds.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel

from tasks.artifacts import Artifact, Store, canonical
from tasks.errors import NotFound
from tasks.watching.shipping import place

DAY_S = 24 * 3600
JSON = ("inputs", "output", "features", "label")  # as JSON text, since every release has other fields
SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("request_id", pa.string()),
        ("release", pa.string()),
        ("version", pa.string()),
        ("path", pa.string()),
        ("row", pa.int64()),
        ("caller", pa.string()),
        ("tenant", pa.string()),
        ("inputs", pa.string()),
        ("output", pa.string()),
        ("latency_ms", pa.float64()),
        ("features", pa.string()),
        ("label", pa.string()),
        ("rating", pa.int64()),
        ("comment", pa.string()),
        ("replica", pa.string()),
        ("time", pa.timestamp("us", "UTC")),
    ]
)
BATCH = 16_384  # rows of a row group
FEW = ["kind", "release", "version", "path", "caller", "tenant", "replica"]  # columns of few different values


class Part(BaseModel, frozen=True):
    """The record of a part. `kinds` counts its rows, `versions` its predictions; `first` and `last` are the least and
    the greatest time of its rows, `made` is when it was written; `unreadable` lines stand in files of their own,
    `duplicates` are rows whose tenant, request id, row and kind stood before, `backwards` times that fell behind the
    line before: both are kept. `forgotten` rows were taken out since. `rows_in` is None where the rows are past their
    time and gone."""

    number: int
    release: str
    rows_in: Artifact | None
    rows: int
    kinds: dict[str, int]
    versions: dict[str, int]
    segments: tuple[str, ...]
    first: float | None
    last: float | None
    made: float
    unreadable: int = 0
    duplicates: int = 0
    backwards: int = 0
    forgotten: int = 0

    @property
    def id(self) -> str:
        return f"{self.number:06}"


def parts(store: Store, release: str) -> list[Part]:
    """The parts of a release in the order in which they were made, without those that are past their time."""
    return [part for part in records(store, release) if part.rows_in is not None]


def new_file(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=FEW)


def records(store: Store, release: str) -> list[Part]:
    """The records of the parts, in order."""
    pattern = re.compile(rf"{re.escape(place(release))}/parts/\d+\.json")
    found = []
    for name in filter(pattern.fullmatch, store.list(f"{place(release)}/parts")):
        with suppress(NotFound):  # it expired meanwhile
            found.append(Part.model_validate_json(store.read(name)))
    return sorted(found, key=lambda part: part.number)


def record_name(part: Part) -> str:
    return f"{place(part.release)}/parts/{part.id}.json"


def keep(store: Store, part: Part) -> bool:
    """Make the part count; False where another one has its number."""
    return store.create(record_name(part), canonical(part.model_dump(mode="json")))


def rows(
    store: Store,
    chosen: Iterable[Part],
    version: str | None = None,
    kinds: Sequence[str] = ("prediction",),
    columns: Sequence[str] = tuple(SCHEMA.names),
) -> Iterator[pa.RecordBatch]:
    """The rows of some parts, in order, a few thousand at a time: of one version (default: all) and some kinds."""
    wanted = list(dict.fromkeys([*columns, "kind", "version"]))
    for part in chosen:
        if not any(part.kinds.get(kind) for kind in kinds):
            continue
        with opened(store, part) as file:
            for batch in file.iter_batches(BATCH, columns=wanted):
                mask = pc.is_in(batch["kind"], pa.array(kinds, pa.string()))
                if version is not None:
                    mask = pc.and_(mask, pc.equal(batch["version"], version))
                if kept := batch.filter(mask).select(list(columns)):
                    yield kept


def opened(store: Store, part: Part) -> pq.ParquetFile:
    """The file of a part. NotFound: it is past its time, or somebody removed it."""
    if part.rows_in is None:
        raise NotFound(f"Part {part.id} of the log of {part.release} is past its time (PENSTOCK_LOG_DAYS); it is gone.")
    return pq.ParquetFile(store.path(part.rows_in))


class Tally:
    """Counts what a part holds while it is written."""

    def __init__(self) -> None:
        self.rows = 0
        self.kinds: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.first: float | None = None
        self.last: float | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += len(batch)
        self.kinds += _counts(batch["kind"])
        self.versions += _counts(batch["version"].filter(pc.equal(batch["kind"], "prediction")))
        if len(batch):
            ends = pc.min_max(batch["time"].cast(pa.int64()))
            first, last = (ends[name].as_py() / 1e6 for name in ("min", "max"))
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)


def _counts(column: pa.Array) -> Counter[str]:
    return Counter({one["values"]: one["counts"] for one in pc.value_counts(column).to_pylist()})


def expire(store: Store, release: str, days: float, now: float) -> int:
    """Remove the parts that were made more than `days` before `now`; how many. Unreadable lines go with their part.

    The newest record stays without its rows, so that no number is given twice. What killed compactions left goes, too.
    """
    sweep(store, release)
    found = records(store, release)
    old = [part for part in found if part.rows_in is not None and now - part.made > days * DAY_S]
    for part in old:
        assert part.rows_in is not None
        store.remove(part.rows_in.uri)
        for name in part.segments:
            store.remove(unreadable_name(name))
        if part == found[-1]:
            gone = part.model_copy(update={"rows_in": None})
            store.write(record_name(part), canonical(gone.model_dump(mode="json")))
        else:
            store.remove(record_name(part))
    return len(old)


def sweep(store: Store, release: str) -> None:
    """Remove files of rows whose number belongs to another file: they can never count."""
    found = records(store, release)
    named = {part.rows_in.uri for part in found if part.rows_in is not None}
    numbers = {part.id for part in found}
    for name in store.list(f"{place(release)}/parts"):
        number = name.removeprefix(f"{place(release)}/parts/").partition("/")[0]
        if number in numbers and name not in named:
            store.remove(name)


def unreadable_name(segment: str) -> str:
    """Where the unreadable lines of a segment are kept."""
    release_place, replica, name = segment.rsplit("/", 2)
    return f"{release_place}/unreadable/{replica}/{name.rpartition('.')[0]}.txt"
