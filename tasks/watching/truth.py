"""What became of predictions: labels and ratings of the log, joined on tenant, request id and row.

The last label of a row wins, and so does the last rating; of several predictions of a row the last one counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.artifacts import Store
from tasks.watching.parts import SCHEMA, Part, rows

KEY = ("tenant", "request_id", "row")
EXAMPLES = 5

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Said:
    """One value per key, the last that was said; `keys` are sorted."""

    keys: Keys
    values: pa.Array


@dataclass(frozen=True)
class Truth:
    """Labels (JSON text) and ratings by key; `contradictions` are keys that were given different labels."""

    labels: Said
    ratings: Said
    contradictions: int
    ids: pa.Array  # request ids beside `keys`, of all feedback
    keys: Keys


@dataclass(frozen=True)
class Unknown:
    """Feedback on rows that the log does not hold, or not yet: they join when it does."""

    count: int
    examples: list[str]


def truth(store: Store, parts: Sequence[Part]) -> Truth:
    """All labels and ratings of some parts; give all parts: a label may be logged long after its prediction, or before.

    Memory: about 100 bytes per piece of feedback."""
    names = [*KEY, "label", "rating", "time"]
    schema = pa.schema([SCHEMA.field(name) for name in names])
    table = pa.Table.from_batches(rows(store, parts, kinds=("feedback",), columns=names), schema).combine_chunks()
    table = table.take(pc.sort_indices(table["time"]))  # stable: equal times stay in their order
    keys = keys_of(table)
    labels, label_keys = table["label"].drop_null(), keys[_valid(table["label"])]
    distinct = pa.table({"key": label_keys, "label": labels}).group_by(["key", "label"]).aggregate([])
    contradictions = int((np.unique(distinct["key"].to_numpy(), return_counts=True)[1] > 1).sum())
    ratings = Said(*_last(keys[_valid(table["rating"])], table["rating"].drop_null()))
    return Truth(Said(*_last(label_keys, labels)), ratings, contradictions, _flat(table["request_id"]), keys)


def joined(
    store: Store,
    parts: Sequence[Part],
    told: Truth,
    version: str | None = None,
    columns: Sequence[str] = ("request_id", "row", "output"),
    kind: str = "prediction",
) -> Iterator[pa.RecordBatch]:
    """The predictions (or shadows) of some parts with the columns `label` (JSON text) and `rating`, null where nobody
    said one; a few thousand rows at a time, those with and those without label."""
    names = [name for name in dict.fromkeys([*KEY, *columns]) if name not in ("label", "rating")]
    counts, start = _counting(store, parts, version, kind), 0
    for batch in rows(store, parts, version, (kind,), names):
        keys, here = keys_of(batch), counts[start : start + len(batch)]
        start += len(batch)
        found = batch.select([name for name in columns if name in names])
        for name, said in (("label", told.labels), ("rating", told.ratings)):
            found = found.append_column(name, _asked(said, keys))
        yield found.filter(pa.array(here))


def unknown(store: Store, parts: Sequence[Part], told: Truth) -> Unknown:
    """Which feedback has no prediction in these parts. Memory: 8 bytes per prediction."""
    lost = missing(store, parts, told.keys)
    lost = np.sort(lost[np.unique(told.keys[lost], return_index=True)[1]])
    return Unknown(len(lost), [told.ids[int(place)].as_py() for place in lost[:EXAMPLES]])


def missing(store: Store, parts: Sequence[Part], keys: Keys) -> npt.NDArray[np.intp]:
    """The places of the keys that no prediction of the parts has."""
    return np.flatnonzero(~np.isin(keys, _keys(rows(store, parts, columns=KEY))))


def key(tenant: str, request_id: str, row: int) -> int:
    return hash((tenant, request_id, row))


def keys_of(table: pa.Table | pa.RecordBatch) -> Keys:
    """A 64-bit hash of tenant, request id and row, the same within a process: 5 million rows of each side collide with
    a probability of one in a million."""
    columns = (table[name].to_pylist() for name in KEY)
    return np.fromiter(map(key, *columns), np.int64, len(table))


def _keys(batches: Iterable[pa.RecordBatch]) -> Keys:
    return np.concatenate([np.empty(0, np.int64), *map(keys_of, batches)])


def _counting(store: Store, parts: Sequence[Part], version: str | None, kind: str) -> npt.NDArray[np.bool_]:
    """Which rows count: of each key the last."""
    keys = _keys(rows(store, parts, version, (kind,), KEY))
    counts = np.zeros(len(keys), bool)
    counts[len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]] = True
    return counts


def _last(keys: Keys, values: pa.ChunkedArray) -> tuple[Keys, pa.Array]:
    """Of each key the last value; the keys sorted."""
    unique, back = np.unique(keys[::-1], return_index=True)
    return unique, _flat(values.take(pa.array(len(keys) - 1 - back)))


def _asked(said: Said, keys: Keys) -> pa.Array:
    """The value of each key, null where there is none."""
    if not len(said.keys):
        return pa.nulls(len(keys), said.values.type)
    places = np.searchsorted(said.keys, keys).clip(max=len(said.keys) - 1)
    return said.values.take(pa.array(places, mask=said.keys[places] != keys))


def _valid(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(column.is_valid())


def _flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
