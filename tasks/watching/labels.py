"""Label files: the truth that arrives later, as feedback in the log; the same file again changes nothing."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from tasks.artifacts import Store, file_sha256
from tasks.errors import BadInput
from tasks.sources import values
from tasks.sources.layout import Expected
from tasks.tables.batch_sources import open_rows
from tasks.watching.finding import unparted
from tasks.watching.log import Record, line
from tasks.watching.parts import parts, records
from tasks.watching.shipping import place, shipped
from tasks.watching.targets import Target
from tasks.watching.truth import Keys, key, missing

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
SEGMENT_ROWS = 50_000
EXAMPLES = 5


class Given(BaseModel):
    """What a label file brought: `known` labels were logged before, `wrong` ones fit nothing and are left out, the
    `unknown` ones are logged, and join when their prediction arrives."""

    release: str
    rows: int
    known: int
    wrong: int
    wrong_examples: list[str]
    unknown: int
    unknown_examples: list[str]


@dataclass
class Reading:
    """Rows of a file on their way to the log."""

    target: Target | None
    rows: int = 0
    ids: list[str] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    wrong: int = 0
    wrong_examples: list[str] = field(default_factory=list)

    def record(self, row: dict[str, Any], release: str) -> Record | None:
        """One row as feedback; None where it is none, which is counted."""
        self.rows += 1
        try:
            found = self._record(row, release)
        except BadInput as error:
            self.wrong += 1
            if len(self.wrong_examples) < EXAMPLES:
                self.wrong_examples.append(f"row {self.rows}: {error}")
            return None
        self.ids.append(found.request_id)
        self.keys.append(key(found.tenant, found.request_id, found.row))
        return found

    def _record(self, row: dict[str, Any], release: str) -> Record:
        number, told = str(row["request_id"] or ""), row["label"]
        if not REQUEST_ID.fullmatch(number):
            raise BadInput(f"{number!r} is no request id.")
        if told is None:
            raise BadInput("The label is empty.")
        place = str(row.get("row") or "0")
        if not place.isdecimal() or len(place) > 12:
            raise BadInput(f"{place!r} is no row; rows of a batch count from 0.")
        label = told if self.target is None else self.target.read(told)
        tenant = row.get("tenant") or ""
        return Record("feedback", number, release, "", "labels", int(place), "labels", tenant, label=label)


def give(store: Store, root: Path, release: str, file: Path, target: Target | None) -> Given:
    """Log the labels of a CSV or Parquet file: `request_id`, `label`, optional `row` (0) and `tenant` (none).

    Written as segments named by the file's content, so that a killed call is finished by the next one. BadInput where
    the file cannot be read or lacks a column."""
    held = {name for part in records(store, release) for name in part.segments} | {*shipped(store, release)}
    folder = f"{place(release)}/labels-{file_sha256(file)[:12]}"
    reading, known = Reading(target), 0
    for number, chunk in enumerate(_chunks(file, reading, release), start=1):
        name = f"{folder}/{number:06}.jsonl"
        if name in held or not store.create(name, _text(chunk, folder)):
            known += len(chunk)
    lost = _lost(store, root, release, np.array(reading.keys, np.int64))
    return Given(
        release=release, rows=reading.rows, known=known,
        wrong=reading.wrong, wrong_examples=reading.wrong_examples,
        unknown=len(lost), unknown_examples=[reading.ids[place] for place in lost[:EXAMPLES]],
    )  # fmt: skip


def _chunks(file: Path, reading: Reading, release: str) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    rows = open_rows(file, str(file), Expected(needed=("request_id", "label")))
    for table in rows.batches():
        names = [name for name in ("request_id", "row", "label", "tenant") if name in table.column_names]
        texts = pa.table({name: values.text_of(table[name]) for name in names})
        for row in texts.to_pylist():
            if (found := reading.record(row, release)) is not None:
                chunk.append(found)
            if len(chunk) == SEGMENT_ROWS:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _text(chunk: list[Record], folder: str) -> bytes:
    now, replica = time.time(), folder.rpartition("/")[2]
    for record in chunk:
        record.time, record.replica = now, replica
    return b"".join(map(line, chunk))


def _lost(store: Store, root: Path, release: str, keys: Keys) -> list[int]:
    """Places of the labels whose prediction is nowhere in the log."""
    lost = missing(store, parts(store, release), keys)
    if len(lost):
        waiting = {
            key(one.tenant, one.request_id, one.row)
            for one in unparted(store, root, release)
            if one.kind == "prediction"
        }
        lost = lost[[int(keys[place]) not in waiting for place in lost]]
    return [int(place) for place in lost]
