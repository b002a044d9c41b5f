"""Shipped segments become one Parquet part: each line once, at whatever moment it is killed, in bounded memory."""

import io
import logging
import tempfile
import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from tasks.artifacts import Store
from tasks.errors import NotFound
from tasks.watching.log import Record, line, parsed
from tasks.watching.parts import BATCH, JSON, SCHEMA, Part, Tally, keep, new_file, records, unreadable_name
from tasks.watching.shipping import place, shipped

MOST_ROWS = 1_000_000  # a part takes no further segment from here on

log = logging.getLogger("penstock.watch")


def compact(store: Store, release: str, most_rows: int = MOST_ROWS) -> list[Part]:
    """Make parts of all shipped segments, and remove these; the new parts.

    The record of a part, created exclusively, decides: what a part holds is only removed, whoever made the part.
    """
    made: list[Part] = []
    while True:
        known = records(store, release)  # before the segments: who has seen a part less cannot get its number
        waiting = _waiting(store, release, known)
        if not waiting:
            return made
        number = known[-1].number + 1 if known else 1
        part = _written(store, release, number, waiting, most_rows)
        if keep(store, part):
            made.append(part)
            _remove(store, part.segments)


def _waiting(store: Store, release: str, known: list[Part]) -> list[str]:
    """The segments that are in no part; the others go, since a kill left them."""
    held = {name for part in known for name in part.segments}
    found = shipped(store, release)
    _remove(store, held.intersection(found))
    return [name for name in found if name not in held]


def _remove(store: Store, names: Iterable[str]) -> None:
    for name in names:
        store.remove(name)


def _written(store: Store, release: str, number: int, waiting: list[str], most_rows: int) -> Part:
    """The rows as a file in the store, which does not count yet."""
    tally, seen = Tally(), Seen()
    taken: list[str] = []
    with tempfile.TemporaryDirectory(prefix="penstock-part-") as aside:
        path = Path(aside) / "rows.parquet"
        with new_file(path) as writer:
            for name in waiting:
                if tally.rows >= most_rows:
                    break
                taken.append(name)
                for batch in _batches(store, name, seen):
                    tally.add(batch)
                    writer.write_batch(batch)
        rows_in = store.put_file(f"{place(release)}/parts/{number:06}", path, ".parquet")
    return Part(
        number=number, release=release, rows_in=rows_in, segments=tuple(taken), made=time.time(), rows=tally.rows,
        kinds=tally.kinds, versions=tally.versions, first=tally.first, last=tally.last,
        unreadable=seen.unreadable, duplicates=seen.duplicates(), backwards=seen.backwards,
    )  # fmt: skip


class Seen:
    """What a part has to tell of its lines beside their rows."""

    def __init__(self) -> None:
        self.unreadable = self.backwards = 0
        self._keys = array("q")

    def add(self, found: list[Record]) -> None:
        self._keys.extend(hash((one.tenant, one.request_id, one.row, one.kind)) for one in found)
        self.backwards += sum(after.time < before.time for before, after in pairwise(found))

    def duplicates(self) -> int:
        return len(self._keys) - len(np.unique(np.asarray(self._keys)))


def _batches(store: Store, segment: str, seen: Seen) -> Iterator[pa.RecordBatch]:
    """The rows of a segment; lines that are no records are counted and kept in a file of their own."""
    unreadable: list[bytes] = []
    with suppress(NotFound):  # another run has it in a part: this one will not count
        found = parsed(io.BytesIO(store.read(segment)), unreadable)
        while some := list(islice(found, BATCH)):
            fitting, batch = typed(some, unreadable)
            seen.add(fitting)
            yield batch
    if unreadable:
        seen.unreadable += len(unreadable)
        store.write(unreadable_name(segment), b"".join(one.removesuffix(b"\n") + b"\n" for one in unreadable))
        log.warning(
            "%d lines of %s cannot be read; they are kept in %s", len(unreadable), segment, unreadable_name(segment)
        )


def typed(some: list[Record], unreadable: list[bytes]) -> tuple[list[Record], pa.RecordBatch]:
    """The records with fields of the right types, as a batch; the others are not ours, and unreadable."""
    try:
        return some, batch_of(some)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError):
        fitting = []
        for one in some:
            try:
                batch_of([one])
                fitting.append(one)
            except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError):
                unreadable.append(line(one))
        return fitting, batch_of(fitting)


def batch_of(found: list[Record]) -> pa.RecordBatch:
    """Records as a batch of `SCHEMA`."""
    columns = [_column(found, field.name, field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _column(found: list[Record], name: str, kind: pa.DataType) -> pa.Array:
    values: Iterator[Any] = map(attrgetter(name), found)
    if name in JSON:
        values = (None if one is None else orjson.dumps(one) for one in values)
    elif name == "time":
        values = (round(one * 1e6) for one in values)
    return pa.array(list(values), kind)
