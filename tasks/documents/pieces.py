"""What was made of one document, kept under all that decides it: an unchanged one costs nothing later."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tasks.artifacts import Store, canonical, sha256
from tasks.errors import NotFound

log = logging.getLogger("penstock.documents")
EVERY = 20.0  # seconds between two lines of progress


class Pieces:
    """Named objects `pieces/<what>/<document's digest>-<key>`, which begin with the digest of what follows.

    `made_by` is what decides the piece beside the document: options, and the code's digests."""

    def __init__(self, store: Store, what: str, *made_by: object) -> None:
        self.store = store
        self.what = what
        self.made_by = sha256(canonical(made_by))

    def get(self, digest: str, *told: object) -> bytes | None:
        """The piece; None where it is not there, or was altered."""
        try:
            check, _, body = self.store.read(self._name(digest, told)).partition(b"\n")
        except NotFound:
            return None
        return body if check.decode(errors="replace") == sha256(body) else None

    def put(self, body: bytes, digest: str, *told: object) -> None:
        self.store.write(self._name(digest, told), f"{sha256(body)}\n".encode() + body)

    def _name(self, digest: str, told: tuple[object, ...]) -> str:
        key = sha256(canonical([self.made_by, told]))[:32]
        return f"pieces/{self.what}/{digest[:2]}/{digest}-{key}"


Progress = Callable[[int], None]  # told after each document, or step, how many units it had


@contextmanager
def progress(what: str, count: int, unit: str, of: str = "documents") -> Iterator[Progress]:
    """A bar on a terminal, else a line in the log now and then: so many units of so many documents."""
    if sys.stderr.isatty() and count:
        with _bar(what, count, unit) as told:
            yield told
        return
    started = told_at = time.monotonic()
    done = units = 0

    def one_more(more: int) -> None:
        nonlocal told_at, done, units
        done, units, now = done + 1, units + more, time.monotonic()
        if now - told_at >= EVERY:
            told_at = now
            log.info("%s: %d of %d %s, %.0f %s/s", what, done, count, of, units / (now - started), unit)

    yield one_more


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    started, units = time.monotonic(), 0
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="")

        def one_more(more: int) -> None:
            nonlocal units
            units += more
            rate = f"{units / max(time.monotonic() - started, 0.01):.0f} {unit}/s"
            bar.update(task, advance=1, rate=rate)

        yield one_more
