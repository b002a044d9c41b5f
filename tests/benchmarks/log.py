"""`just bench log`: what the prediction log costs a request, beside logging's file handler with JSON lines."""

import hmac
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from pythonjsonlogger.json import JsonFormatter

from tasks.watching.log import Record, Writer
from tasks.watching.privacy import Privacy
from tests.benchmarks.harness import Benchmark, Goal, Measure

RECORDS = 20_000
KEY = b"a secret of some length, as it should be"
PERSONAL = ("name", "town")
ROW: dict[str, Any] = {
    "name": "Ada Lovelace", "town": "London", "age": 36, "income": 41_250.5, "owner": True, "since": "2024-03-31",
    "purpose": "car", "amount": 5200.0, "months": 24, "rate": 4.9, "loans": 2, "score": 613.25,
}  # fmt: skip
ANSWER = {"prediction": "good", "probability": 0.8412397461}
PLAIN, HASHED = "CPU", "CPU, two hashed"
LINES = "logging and json"
FORMATTED = "python-json-logger"

Log = Callable[[int, dict[str, Any]], None]


def timed(log: Log, hide: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, float]:
    """Microseconds of CPU, of the system's calls too, per record."""
    found = {}
    for measure, prepare in ((PLAIN, dict), (HASHED, hide)):
        started = time.process_time()
        for number in range(RECORDS):
            log(number, prepare(ROW))
        found[measure] = (time.process_time() - started) / RECORDS * 1e6
    return found


class Ours:
    """What a service does: a record, its personal fields hidden, one line in one system call."""

    name = "ours"

    def __init__(self, folder: Path) -> None:
        self.writer, self.privacy = Writer(folder, "one"), Privacy(dict.fromkeys(PERSONAL, "hash"), KEY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def measure(self) -> dict[str, float]:
        return timed(self.log, self.privacy.inputs)

    def log(self, number: int, row: dict[str, Any]) -> None:
        told = {"inputs": row, "output": ANSWER, "latency_ms": 0.2}
        self.writer.write([Record("prediction", f"{number:032x}", "credit", "3", "/predict", **told)])


class Peer:
    """A logger with a file handler, as a service would set it up; it flushes after each line, too."""

    def __init__(self, name: str, path: Path, formatter: logging.Formatter) -> None:
        self.name = name
        self.handler = logging.FileHandler(path)
        self.handler.setFormatter(formatter)
        self.logger = logging.Logger(name)
        self.logger.addHandler(self.handler)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.handler.close()

    def measure(self) -> dict[str, float]:
        return timed(self.log, hidden)

    def log(self, number: int, row: dict[str, Any]) -> None:
        told = {"request_id": f"{number:032x}", "release": "credit", "version": "3", "path": "/predict", "row": 0}
        self.logger.info("prediction", extra=told | {"inputs": row, "output": ANSWER, "latency_ms": 0.2})


def hidden(row: dict[str, Any]) -> dict[str, Any]:
    hashed = {name: hmac.new(KEY, row[name].encode(), "sha256").hexdigest() for name in PERSONAL}
    return row | hashed


class Lines(logging.Formatter):
    """The formatter that is written in five minutes."""

    FIELDS = ("request_id", "release", "version", "path", "row", "inputs", "output", "latency_ms")

    def format(self, record: logging.LogRecord) -> str:
        told = {"kind": record.getMessage(), "time": record.created}
        return json.dumps(told | {name: getattr(record, name) for name in self.FIELDS})


def benchmark(folder: Path, rounds: int | None) -> Benchmark:
    subjects = [
        Ours(folder),
        Peer(LINES, folder / "lines.log", Lines()),
        Peer(FORMATTED, folder / "formatted.log", JsonFormatter("%(message)s %(created)s")),
    ]
    measures = [Measure(PLAIN, "µs"), Measure(HASHED, "µs")]
    goals = [Goal(measure.name, peer, 1.0) for measure in measures for peer in (LINES, FORMATTED)]
    return Benchmark("log", measures, subjects, goals, rounds or 5, {"columns": len(ROW)})
