"""All that the log has about one request: in parts, in shipped segments, and on this machine."""

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pyarrow.compute as pc

from tasks.artifacts import Store
from tasks.errors import NotFound
from tasks.watching.log import Record, folder, parsed, read_all, segments
from tasks.watching.parts import JSON, Part, opened, parts, rows
from tasks.watching.shipping import shipped


def find(store: Store, root: Path, release: str, request_id: str) -> list[Record]:
    """The records of a request id, of every tenant, in order of time."""
    found = [
        *unparted(store, root, release, orjson.dumps(request_id))
    ]  # first: what moves on meanwhile is then in the parts
    kept = [one for part in parts(store, release) for one in _in_part(store, part, request_id)]
    unique = {repr(one): one for one in [*found, *kept] if one.request_id == request_id}  # one may be here and there
    return sorted(unique.values(), key=lambda one: one.time)


def every(store: Store, root: Path, release: str) -> Iterator[Record]:
    """All that was logged of a release, streamed: parts, what is not in one yet, and what lies on this machine."""
    known = parts(store, release)
    for batch in rows(store, known, kinds=("prediction", "shadow", "feedback")):
        yield from map(record_of, batch.to_pylist())
    held = {name for part in known for name in part.segments}
    for name in shipped(store, release):
        if name not in held:
            with suppress(NotFound):  # it is in a part by now
                yield from parsed(io.BytesIO(store.read(name)), [])
    yield from read_all(folder(root, release))


def _in_part(store: Store, part: Part, request_id: str) -> Iterator[Record]:
    """Of each row group the ids alone are read, and the rest where one fits."""
    with opened(store, part) as file:
        for group in range(file.num_row_groups):
            mask = pc.equal(file.read_row_group(group, ["request_id"])["request_id"], request_id)
            if pc.any(mask).as_py():
                for row in file.read_row_group(group).filter(mask).to_pylist():
                    yield record_of(row)


def record_of(row: dict[str, Any]) -> Record:
    """A row of a part as it was logged."""
    values = {name: orjson.loads(row[name]) for name in JSON if row[name] is not None}
    return Record(**row | values | {"time": row["time"].timestamp()})


def unparted(store: Store, root: Path, release: str, needle: bytes = b"") -> Iterator[Record]:
    """The records that are in no part yet, here or shipped; only those lines are read that hold `needle`."""
    for path in segments(folder(root, release)):
        with suppress(FileNotFoundError), path.open("rb") as file:  # it is shipped meanwhile
            yield from parsed((line for line in file if needle in line), [])
    for name in shipped(store, release):
        with suppress(NotFound):  # it is in a part meanwhile
            yield from parsed((line for line in io.BytesIO(store.read(name)) if needle in line), [])
