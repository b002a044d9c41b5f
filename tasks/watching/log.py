"""The prediction log of a process: one JSON line per row, written whole, closed by size or age; no pandas: services
write it. Closed segments go to the artifact store (`shipping`), and there become Parquet (`compaction`)."""

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import orjson

SEGMENT_BYTES = 64 << 20
SEGMENT_S = 60.0
OPEN, CLOSED = ".open", ".jsonl"


@dataclass(slots=True)
class Record:
    """One prediction, shadow prediction or piece of feedback; they join on `tenant`, `request_id` and `row`."""

    kind: Literal["prediction", "shadow", "feedback"]
    request_id: str
    release: str
    version: str
    path: str = ""
    row: int = 0
    caller: str = ""
    tenant: str = ""
    inputs: Any = None
    output: Any = None
    latency_ms: float | None = None
    features: dict[str, Any] | None = None
    label: Any = None
    rating: int | None = None
    comment: str | None = None
    replica: str = ""
    time: float = 0.0
    schema_version: int = 1


KNOWN = {field.name for field in fields(Record)}


def line(record: Record) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def folder(root: Path, release: str) -> Path:
    """Where the replicas of this machine log a release: `<data root>/predictions/<release>`."""
    return root / "predictions" / release


class Writer:
    """Appends to `<folder>/<replica>/<name>.open`, which is renamed to `.jsonl` when it is full or old.

    Each write is one system call, so that a kill loses at most the line being written. The open file is locked, so
    that others can tell it from what a killed process left. No two segments ever have the same name.
    """

    def __init__(
        self, where: Path, replica: str, segment_bytes: int = SEGMENT_BYTES, segment_s: float = SEGMENT_S
    ) -> None:
        self.folder = where / replica
        self.replica = replica
        self.segment_bytes, self.segment_s = segment_bytes, segment_s
        self._lock = threading.Lock()
        self._file, self._path = -1, self.folder
        self._size, self._born, self._last = 0, 0.0, 0

    def write(self, records: Sequence[Record]) -> bytes:
        """Append the records, stamped with time and replica; returns the bytes. OSError where the disk refuses."""
        now = time.time()
        for record in records:
            record.replica, record.time = self.replica, now
        data = b"".join(map(line, records))
        with self._lock:
            self._append(data)
        return data

    def tick(self) -> None:
        """Close the open segment if it is old: also where no request comes."""
        with self._lock:
            if self._file >= 0 and time.monotonic() - self._born >= self.segment_s:
                self._close()

    def close(self) -> None:
        with self._lock:
            if self._file >= 0:
                self._close()

    def _append(self, data: bytes) -> None:
        if self._file < 0:
            self._open()
        written = os.write(self._file, data)
        self._size += written
        if written < len(data) or self._size >= self.segment_bytes or time.monotonic() - self._born >= self.segment_s:
            self._close()
        if written < len(data):
            raise OSError(f"only {written} of {len(data)} bytes fit into {self.folder}")

    def _open(self) -> None:
        """Locked before it has its name: whoever sees an open segment without a lock sees a dead one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._last = max(self._last + 1, time.time_ns() // 1000)  # in order of writing, whatever the clock does
        name = f"{self._last:016}-{secrets.token_hex(4)}"
        aside, self._path = self.folder / f"{name}.new", self.folder / f"{name}{OPEN}"
        self._file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        aside.rename(self._path)
        self._size, self._born = 0, time.monotonic()

    def _close(self) -> None:
        file, self._file = self._file, -1
        try:
            self._path.rename(self._path.with_suffix(CLOSED))
        finally:
            os.close(file)


def shelve(where: Path) -> None:
    """Close what killed writers left open in the folder of a replica; a living writer holds the lock of its file."""
    for left in sorted(where.glob(f"*{OPEN}")):
        with suppress(FileNotFoundError, BlockingIOError):  # its writer closed it meanwhile, or lives
            file = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.rename(left.with_suffix(CLOSED))
            finally:
                os.close(file)


def segments(where: Path, closed_only: bool = False) -> list[Path]:
    """The segments of all replicas of a release on this machine, in order of writing per replica."""
    endings = (CLOSED,) if closed_only else (CLOSED, OPEN)
    found = [path for path in where.glob("*/*") if path.suffix in endings]
    return sorted(found, key=lambda path: (path.parent.name, path.name))


def parsed(lines: Iterable[bytes], unreadable: list[bytes]) -> Iterator[Record]:
    """The records of some lines; a line that is none, torn by a crash or not ours, goes to `unreadable`."""
    for text in lines:
        try:
            yield _record(orjson.loads(text))
        except (orjson.JSONDecodeError, TypeError, AttributeError):
            unreadable.append(text)


def _record(values: dict[str, Any]) -> Record:
    """A newer writer's fields are passed over."""
    return Record(**{name: value for name, value in values.items() if name in KNOWN})


def read(path: Path) -> Iterator[Record]:
    """The readable records of a segment; compaction counts and keeps the other lines."""
    with path.open("rb") as file:
        yield from parsed(file, [])


def read_all(where: Path, closed_only: bool = False) -> Iterator[Record]:
    for path in segments(where, closed_only):
        yield from read(path)
