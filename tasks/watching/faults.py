"""Rows of the log that break the contract as the release states it: errors of the data, told apart from drift."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tasks.tables.schema import Field


class Faults:
    """Lets the good rows of a stream through and counts the others; read it after the stream has ended."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self.rows = 0
        self.causes: Counter[str] = Counter()

    def pass_good(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            bad = pa.array([False] * len(batch))
            for cause, rows in broken(batch, self.fields):
                if count := pc.sum(rows).as_py():
                    self.causes[cause] += count
                    bad = pc.or_(bad, rows)
            self.rows += pc.sum(bad).as_py() or 0
            yield batch.filter(pc.invert(bad))


def broken(batch: pa.RecordBatch, fields: Sequence[Field]) -> Iterator[tuple[str, pa.Array]]:
    """Each rule of the fields with the rows that break it."""
    for one in fields:
        column = batch[one.name]
        if not one.nullable:
            yield f"{one.name} is empty", pc.is_null(column)
        if one.min is not None:
            yield f"{one.name} is under {one.min:g}", pc.fill_null(pc.less(column, one.min), False)
        if one.max is not None:
            yield f"{one.name} is over {one.max:g}", pc.fill_null(pc.greater(column, one.max), False)
        if one.levels:
            known = pc.or_(pc.is_null(column), pc.is_in(column, pa.array(one.levels, pa.string())))
            yield f"{one.name} is none of its levels", pc.invert(known)
