"""Lines of the log that tell of what is forgotten, taken out of parts, with all other lines of the same requests.

A line is told by its bytes. Those of the same requests that do not tell it themselves (feedback, shadows) go first: so
whatever is killed, the next run finds what is left. Other lines stay in the part that they are in."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.artifacts import Store, canonical
from tasks.errors import NotFound
from tasks.registry.rest import Mlflow
from tasks.watching.assessments import ABSENT, trace_number
from tasks.watching.log import folder, segments
from tasks.watching.parts import SCHEMA, Part, Tally, parts, record_name, rows, sweep, unreadable_name
from tasks.watching.shipping import place, shipped
from tasks.watching.truth import KEY, Keys, keys_of

Told = Callable[[bytes], bool]  # whether some bytes tell of what is forgotten
TEXTS = ("inputs", "output", "features", "label", "comment")
PAGE = 100  # traces that MLflow is asked for, or told to delete, at once


@dataclass(frozen=True)
class Lines:
    """The lines that tell: how many, the keys of their rows (sorted), and the upper halves of their trace numbers."""

    number: int
    keys: Keys
    traces: npt.NDArray[np.uint64]

    def traced(self, trace_id: str) -> bool:
        """Whether a trace, `tr-` and 32 digits, is of one of their requests."""
        upper = np.uint64(int(trace_id.removeprefix("tr-")[:16], 16))
        return bool(np.isin(upper, self.traces))


def find(store: Store, release: str, told: Told) -> Lines:
    """One pass over the parts. Memory: 16 bytes for each line that tells."""
    keys, traces = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    for part in parts(store, release):
        for batch in rows(store, [part], kinds=tuple(part.kinds), columns=(*KEY, *TEXTS)):
            found = batch.filter(pa.array(telling(batch, told)))
            keys.append(keys_of(found))
            pairs = zip(found["tenant"].to_pylist(), found["request_id"].to_pylist(), strict=True)
            traces.append(np.array([trace_number(*pair) >> 64 for pair in pairs], np.uint64))
    return Lines(sum(map(len, keys)), np.unique(np.concatenate(keys)), np.unique(np.concatenate(traces)))


def telling(batch: pa.RecordBatch, told: Told) -> npt.NDArray[np.bool_]:
    """Which rows tell; most batches have none, and are asked once."""
    columns = [batch[name].to_pylist() for name in TEXTS]
    lines = ["\n".join(filter(None, row)).encode() for row in zip(*columns, strict=True)]
    if not told(b"\n".join(lines)):
        return np.zeros(len(batch), bool)
    return np.fromiter(map(told, lines), bool, len(batch))


def remove(store: Store, release: str, found: Lines, told: Told) -> int:
    """Take the lines, and those of the same rows of the same requests, out of all parts; how many these were.

    One caller at a time."""
    gone = 0
    if len(found.keys):
        for part in parts(store, release):
            gone += rewritten(store, part, lambda batch: _same(batch, found) & ~telling(batch, told))
        for part in parts(store, release):
            gone += rewritten(store, part, lambda batch: _same(batch, found))
    for part in parts(store, release):
        for segment in part.segments:
            gone += _unreadable(store, unreadable_name(segment), told)
    sweep(store, release)
    return gone


def _same(batch: pa.RecordBatch, found: Lines) -> npt.NDArray[np.bool_]:
    return np.isin(keys_of(batch), found.keys)


def rewritten(store: Store, part: Part, goes: Callable[[pa.RecordBatch], npt.NDArray[np.bool_]]) -> int:
    """Write the part again without some of its rows, under its own number; how many went."""
    if not any(goes(batch).any() for batch in rows(store, [part], kinds=tuple(part.kinds))):
        return 0
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="penstock-part-") as aside:
        path = Path(aside) / "rows.parquet"
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
            for batch in rows(store, [part], kinds=tuple(part.kinds)):
                kept = batch.filter(pa.array(~goes(batch)))
                tally.add(kept)
                writer.write_batch(kept)
        new = store.put_file(f"{place(part.release)}/parts/{part.id}", path, ".parquet")
        facts = {name: getattr(tally, name) for name in ("rows", "kinds", "versions", "first", "last")}
        gone = part.rows - tally.rows
        record = part.model_copy(update=facts | {"rows_in": new, "forgotten": part.forgotten + gone})
        store.write(record_name(part), canonical(record.model_dump(mode="json")))
        while not store.whole(new):  # a sweep that had read the old record took it for a leftover
            store.put_file(f"{place(part.release)}/parts/{part.id}", path, ".parquet")
    if part.rows_in is not None and part.rows_in.uri != new.uri:
        store.remove(part.rows_in.uri)
    return gone


def _unreadable(store: Store, name: str, told: Told) -> int:
    try:
        lines = store.read(name).splitlines(keepends=True)
    except NotFound:
        return 0
    kept = [line for line in lines if not told(line)]
    if len(kept) < len(lines):
        store.write(name, b"".join(kept))
    return len(lines) - len(kept)


def left(store: Store, root: Path, release: str, told: Told) -> Iterator[tuple[str, int]]:
    """Where lines still tell it, and how many: in parts, in what waits to become one, in a segment that is open."""
    if number := find(store, release, told).number:
        yield f"the parts of the log of {release}", number
    for name in [one for one in store.list(place(release)) if one.endswith(".txt")] + shipped(store, release):
        if number := sum(map(told, store.read(name).splitlines())):
            yield name, number
    for path in segments(folder(root, release)):
        if number := sum(map(told, path.read_bytes().splitlines())):
            yield f"{path}, which a service writes: it closes it after PENSTOCK_LOG_SEGMENT_S seconds", number


# traces


def traces(mlflow: Mlflow, release: str, found: Lines, told: Told) -> tuple[str, list[str]]:
    """The experiment of a release ("": there is none), and its traces that are of the lines' requests, or tell
    themselves: those whose lines are past their time, too."""
    known = mlflow.call("GET", "experiments/get-by-name", {"experiment_name": release}, ABSENT)
    if not known:
        return "", []
    number = str(known["experiment"]["experiment_id"])
    chosen = []
    for infos in _pages(mlflow, number):
        spans = _spans(mlflow, [one["trace_id"] for one in infos])
        for one in infos:
            text = orjson.dumps([one, spans.get(one["trace_id"])])
            if found.traced(one["trace_id"]) or told(text):
                chosen.append(one["trace_id"])
    return number, chosen


def drop_traces(mlflow: Mlflow, experiment: str, chosen: list[str]) -> int:
    for start in range(0, len(chosen), PAGE):
        asked = {"experiment_id": experiment, "request_ids": chosen[start : start + PAGE]}
        mlflow.call("POST", "traces/delete-traces", asked)
    return len(chosen)


def _pages(mlflow: Mlflow, experiment: str) -> Iterator[list[dict[str, Any]]]:
    where = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}]
    asked: dict[str, Any] = {"locations": where, "max_results": PAGE}
    while True:
        answer = mlflow.call("POST", "traces/search", asked, api="3.0")
        if answer.get("traces"):
            yield answer["traces"]
        if not answer.get("next_page_token"):
            return
        asked = asked | {"page_token": answer["next_page_token"]}


def _spans(mlflow: Mlflow, ids: Iterable[str]) -> dict[str, Any]:
    answer = mlflow.call("GET", "traces/batchGet", {"trace_ids": [*ids]}, api="3.0")
    return {one["trace_info"]["trace_id"]: one.get("spans") for one in answer.get("traces", [])}
