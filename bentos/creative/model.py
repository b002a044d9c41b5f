"""A creative release as the kit serves it: validation and prediction of its records, and what is drafted from them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter

from bentos.kit.config import IN_TIME, loading
from bentos.kit.errors import Problem
from bentos.kit.handle import ReleaseFile
from bentos.kit.pieces import piece
from bentos.kit.rows import Reader, Row
from tasks.creative.picking import Picker
from tasks.creative.served import Served

TEMPLATE = "template"  # who drafts where no model is named
AT_ONCE = 64  # records of a batch between two looks at the clock


class Creative:
    """One loaded version; holds nothing that a request changes."""

    def __init__(self, served: Served, picker: Picker | None = None) -> None:
        self.served, self.picker = served, picker
        self.reader = Reader(served.schema)

    def judged(self, rows: list[Row], words: bool, drafts: bool, until: float) -> list[Row]:
        """Work for a thread, which nobody can end from outside: after `until`, by `perf_counter`, it gives up."""
        found = [one for some in batched(rows, AT_ONCE, until) for one in self.served.predict(some)]
        for (row,), one in zip(batched(rows, 1, until), found, strict=True):
            if words:
                one["words"] = [part.model_dump() for part in self.served.moved(row, one["probability"])]
            if drafts and (made := self.served.drafts(row)):
                one |= made.model_dump() | {"drafted_by": TEMPLATE}
        return found

    def picked(self, row: Row, picker: Picker) -> Row:
        """The drafts that a model makes of a record. Unavailable: it makes none."""
        made = self.served.drafts(row, picker)
        return made.model_dump() | {"drafted_by": picker.model} if made else {}

    def answer(self, request: Row) -> Row:
        """A golden request, or a shadowed one."""
        return self.served.predict([request])[0]

    def close(self) -> None:
        if self.picker:
            self.picker.close()


def batched(rows: list[Row], size: int, until: float) -> Iterator[list[Row]]:
    """So many rows at a time. Problem: it is later than `until`."""
    for start in range(0, len(rows), size):
        if perf_counter() > until:
            raise Problem(
                504, f"{start} of {len(rows)} records were done in time; send fewer, or raise PENSTOCK_REQUEST_TIMEOUT."
            )
        yield rows[start : start + size]


def load_creative(folder: Path, _release: ReleaseFile) -> Creative:
    settings = loading()
    served = Served.load(folder, partial(piece, folder), settings.embed_threads)
    if settings.drafts is None:
        return Creative(served)
    picker = Picker(settings.drafts)
    picker.hurry(settings.request_timeout * IN_TIME)
    return Creative(served, picker)
