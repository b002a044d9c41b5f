"""One side of a comparison: rows and nulls counted over all of it, and a seeded sample; a stream of batches will do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MOST = 50_000  # rows of a sample
BATCH = 65_536  # rows


@dataclass(frozen=True)
class Counted:
    """Counts of all rows, nulls (NaN is one) by column, and at most `MOST` of the rows in their order."""

    rows: int
    nulls: dict[str, int]
    sample: pa.Table


Rows: TypeAlias = pa.Table | pa.RecordBatchReader | Counted


def counted(rows: Rows, most: int = MOST) -> Counted:
    """Count a table or a stream in one pass, in memory for twice the sample; what is counted stays as it is."""
    if isinstance(rows, Counted):
        return rows
    batches: Iterable[pa.RecordBatch] = rows.to_batches(BATCH) if isinstance(rows, pa.Table) else rows
    total, nulls, sample = 0, dict.fromkeys(rows.schema.names, 0), _Sample(rows.schema, most)
    for batch in batches:
        total += batch.num_rows
        for name in nulls:
            nulls[name] += null_count(batch.column(name))
        sample.add(batch)
    return Counted(total, nulls, sample.table())


def null_count(column: pa.Array) -> int:
    if pa.types.is_floating(column.type):
        return int(pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0)
    return int(column.null_count)


class _Sample:
    """The rows with the smallest of random keys, drawn row by row: the same ones however the batches are cut."""

    def __init__(self, schema: pa.Schema, most: int) -> None:
        self.most, self.limit = most, 1.0
        self.random = np.random.default_rng(0)
        self.rows, self.keys = pa.Table.from_batches([], schema), np.empty(0)

    def add(self, batch: pa.RecordBatch) -> None:
        keys = self.random.random(batch.num_rows)
        low = np.flatnonzero(keys < self.limit)
        taken = batch if len(low) == len(keys) else batch.take(pa.array(low))
        self.rows = pa.concat_tables([self.rows, pa.Table.from_batches([taken])])
        self.keys = np.concatenate([self.keys, keys[low]])
        if len(self.keys) > 2 * self.most:
            self._prune()

    def _prune(self) -> None:
        kept: NDArray[np.int64] = np.sort(np.argpartition(self.keys, self.most)[: self.most])
        self.rows, self.keys = self.rows.take(pa.array(kept)), self.keys[kept]
        self.limit = float(self.keys.max())

    def table(self) -> pa.Table:
        if len(self.keys) > self.most:
            self._prune()
        return self.rows
