"""Logs for tests: written by real writers, shipped and compacted."""

from pathlib import Path
from typing import Any

from tasks.artifacts import Store
from tasks.watching.compaction import compact
from tasks.watching.log import Record, Writer, folder
from tasks.watching.parts import Part
from tasks.watching.shipping import ship_left


def prediction(number: int, **given: Any) -> Record:
    told = {"kind": "prediction", "version": "1", "path": "/predict", "latency_ms": 0.2}
    answered = {"inputs": {"a": number}, "output": {"prediction": 1.5}}
    return Record(**told | answered | {"request_id": f"id{number}", "release": "wine"} | given)


def feedback(number: int, **given: Any) -> Record:
    return Record("feedback", f"id{number}", "wine", "1", "/feedback", **given)


def write(root: Path, *records: Record, replica: str = "one") -> None:
    writer = Writer(folder(root, "wine"), replica)
    writer.write(records)
    writer.close()


def made(store: Store, root: Path, *records: Record, replica: str = "one") -> list[Part]:
    """The records as a part."""
    write(root, *records, replica=replica)
    ship_left(store, root, "wine")
    return compact(store, "wine")
