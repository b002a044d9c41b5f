"""Batch scoring in the log: the rows of a run straight to a part, column by column, since lines would cost more than
the scoring itself. Request id `score-<digest of version and rows>`, row number from 0; the same run is logged once."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa

from tasks.artifacts import Store, file_sha256, sha256
from tasks.watching.json_texts import by_value, objects, outputs
from tasks.watching.parts import SCHEMA, Part, Tally, keep, new_file, records
from tasks.watching.privacy import Privacy
from tasks.watching.shipping import place

Answers = Mapping[str, pa.Array]
Tell = Callable[[pa.Table, Answers], None]


def run_id(release: str, version: int, rows: Path) -> str:
    """The same rows, scored by the same version, are the same run."""
    return f"score-{sha256(f'{release} {version} {file_sha256(rows)}'.encode())[:12]}"


@contextmanager
def logging(store: Store, release: str, version: int, run: str, privacy: Privacy) -> Iterator[Tell]:
    """Takes the inputs and answers of a run; they are in the log when the block ends well, all of them or none."""
    held = f"{place(release)}/score/{run}.jsonl"  # a name among the segments, which no segment has
    if _held(store, release, held):
        yield lambda _inputs, _answers: None
        return
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="penstock-part-") as aside:
        path = Path(aside) / "rows.parquet"
        with new_file(path) as writer:

            def tell(inputs: pa.Table, answers: Answers) -> None:
                batch = _batch(inputs, answers, release, version, run, tally.rows, privacy)
                tally.add(batch)
                writer.write_batch(batch)

            yield tell
        if tally.rows:
            _append(store, release, held, path, tally)


def _held(store: Store, release: str, held: str) -> bool:
    return any(held in part.segments for part in records(store, release))


def _append(store: Store, release: str, held: str, path: Path, tally: Tally) -> None:
    """The next part; where another one took its number, the one after it, unless that was this very run."""
    while not _held(store, release, held):
        known = records(store, release)
        number = known[-1].number + 1 if known else 1
        rows_in = store.put_file(f"{place(release)}/parts/{number:06}", path, ".parquet")
        part = Part(
            number=number, release=release, rows_in=rows_in, segments=(held,), made=time.time(), rows=tally.rows,
            kinds=tally.kinds, versions=tally.versions, first=tally.first, last=tally.last,
        )  # fmt: skip
        keep(store, part)


def _batch(
    inputs: pa.Table, answers: Answers, release: str, version: int, run: str, start: int, privacy: Privacy
) -> pa.RecordBatch:
    size = len(inputs)
    now = pa.scalar(int(time.time() * 1e6), pa.timestamp("us", "UTC"))
    told = {
        "kind": "prediction", "request_id": run, "release": release, "version": str(version), "path": "score",
        "caller": "", "tenant": "", "replica": "score",
    }  # fmt: skip
    columns: dict[str, pa.Array] = {
        name: pa.repeat(pa.scalar(value, pa.string()), size) for name, value in told.items()
    }
    columns |= {"row": pa.array(range(start, start + size), pa.int64()), "time": pa.repeat(now, size)}
    columns |= {"inputs": objects(_private(inputs, privacy)), "output": outputs(answers, privacy.unseen)}
    return pa.RecordBatch.from_arrays(
        [columns.get(one.name, pa.nulls(size, one.type)) for one in SCHEMA], schema=SCHEMA
    )


def _private(inputs: pa.Table, privacy: Privacy) -> pa.Table:
    """The table without personal columns, or with their pseudonyms: as `Privacy.inputs` does it to a row."""
    for name in set(privacy.rules) & set(inputs.column_names):
        column, place = inputs[name], inputs.column_names.index(name)
        inputs = inputs.remove_column(place)
        if name in privacy.hashed:
            inputs = inputs.append_column(name, by_value(column, partial(privacy.pseudonym, name)))
    return inputs
