"""The prediction log: one JSON line per row, written whole, rotated by size; no pandas: services write it."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import orjson

from tasks.errors import BadInput

SEGMENT_BYTES = 64 << 20
OPEN = "open.jsonl"


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
    """Where all replicas of a release log: `<data root>/predictions/<release>`."""
    return root / "predictions" / release


class Writer:
    """Appends to `<folder>/<replica>/open.jsonl`; a full segment is closed under the next number.

    Each write is one system call, so that a kill loses at most the line being written. One thread writes.
    """

    def __init__(self, where: Path, replica: str, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = where / replica
        self.replica = replica
        self.segment_bytes = segment_bytes
        self._file = -1
        self._size = 0

    def write(self, records: Sequence[Record]) -> bytes:
        """Append the records, stamped with time and replica; returns the bytes. OSError where the disk refuses."""
        now = time.time()
        for record in records:
            record.replica, record.time = self.replica, now
        data = b"".join(map(line, records))
        self._append(data)
        return data

    def _append(self, data: bytes) -> None:
        if self._file < 0:
            self._open()
        written = os.write(self._file, data)
        self._size += written
        if written < len(data) or self._size >= self.segment_bytes:
            self.close()
        if written < len(data):
            raise OSError(f"only {written} of {len(data)} bytes fit into {self.folder}")

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._shelve()
        self._file = os.open(self.folder / OPEN, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self._size = 0

    def _shelve(self) -> None:
        """Close the open segment, this replica's or the one that a killed process left: it gets the next number."""
        left = self.folder / OPEN
        if left.exists():
            numbers = [int(path.stem) for path in self.folder.glob("*.jsonl") if path.stem.isdigit()]
            left.rename(self.folder / f"{max(numbers, default=0) + 1:06}.jsonl")

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._shelve()


def segments(where: Path, closed_only: bool = False) -> list[Path]:
    """The segments of all replicas of a release, in order of writing per replica."""
    found = [path for path in where.glob("*/*.jsonl") if not (closed_only and path.name == OPEN)]
    return sorted(found, key=lambda path: (path.parent.name, path.name == OPEN, path.name))


def read(path: Path) -> Iterator[Record]:
    """The records of a segment; a torn last line is left out, any other unreadable line is BadInput."""
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            try:
                yield _record(orjson.loads(text))
            except (orjson.JSONDecodeError, TypeError):
                if text.endswith(b"\n"):
                    raise BadInput(f"Line {number} of the log {path} is unreadable; move the file away.") from None


def _record(values: dict[str, Any]) -> Record:
    return Record(**{name: value for name, value in values.items() if name in KNOWN})


def read_all(where: Path, closed_only: bool = False) -> Iterator[Record]:
    for path in segments(where, closed_only):
        yield from read(path)
