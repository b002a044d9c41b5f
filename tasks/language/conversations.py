"""Chat data of a user's own: files of one conversation per line, read into a table; what breaks a rule is put aside.

The table has a row per conversation, sorted by `id`, so that neither the form nor the order of the lines counts in its
digest. Its columns are `id`, `messages` (canonical JSON) and `fact`.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact
from tasks.errors import BadInput
from tasks.language.chats import Message
from tasks.language.duplicates import duplicates
from tasks.language.faults import Cause, Fault, causes_of, listed
from tasks.language.forms import Conversation, conversation, parsed, text_of
from tasks.sources.catalog import Dataset
from tasks.sources.frames import put_table, read_table
from tasks.sources.members import bytes_of, member_of
from tasks.sources.raw import Raw
from tasks.sources.state import local_files

WIDE = (b"\xff\xfe", b"\xfe\xff")  # marks of UTF-16 and UTF-32
SHAPE = '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'


class Lines(BaseModel):
    """One file as it is read: no title or address, so that a change of these reads nothing again. Where it came from
    stands in the artifact's `meta`."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    member: str | None


class Conversations(BaseModel):
    """`rows` lines with something on them: of these `bad_rows` are in `quarantine` (file, line, reason and the line as
    it stood), and `duplicates` in `repeated` (file, line, id, and the id of the conversation that stays)."""

    model_config = ConfigDict(frozen=True)

    table: Artifact
    quarantine: Artifact | None
    repeated: Artifact | None
    rows: int
    bad_rows: int
    duplicates: int
    causes: tuple[Cause, ...]


class Told(NamedTuple):
    """A conversation and the line that it stands on."""

    file: str
    line: int
    said: Conversation


class Aside(NamedTuple):
    """A line that breaks a rule."""

    file: str
    line: int
    fault: Fault
    raw: bytes


class Gathered(NamedTuple):
    told: list[Told]
    aside: list[Aside]

    @property
    def causes(self) -> tuple[Cause, ...]:
        return causes_of((f"line {one.line}", one.fault) for one in self.aside)


def lines_of(raw: Raw, dataset: Dataset) -> list[Lines]:
    """All that decides what the conversations are read as."""
    return [
        Lines(
            artifact=file.artifact.model_copy(update={"meta": file.artifact.meta | {"origin": file.origin}}),
            member=member_of(file, dataset),
        )
        for file in raw.files
    ]


def read_conversations(files: list[Lines]) -> Conversations:
    """The conversations of a dataset, each once. BadInput: a file is no chat data, or no line of all is right."""
    found = gathered(
        (str(file.artifact.meta["origin"]), bytes_of(file.artifact, file.member, str(file.artifact.meta["origin"])))
        for file in files
    )
    told = sorted(found.told, key=lambda one: (one.said.id, one.said.fact))
    repeats = duplicates([one.said for one in told])
    kept = [one.said for place, one in enumerate(told) if place not in repeats]
    again = [(told[place], told[first].said.id) for place, first in sorted(repeats.items())]
    return Conversations(
        table=_table(kept),
        quarantine=_quarantine(found.aside) if found.aside else None,
        repeated=_repeated(again) if again else None,
        rows=len(found.told) + len(found.aside),
        bad_rows=len(found.aside),
        duplicates=len(again),
        causes=found.causes,
    )


def conversations(table: Artifact) -> Iterator[Conversation]:
    """The conversations of a table, in its order."""
    for row in read_table(table, ["id", "messages", "fact"]).to_pylist():
        yield Conversation(row["id"], tuple(Message(**one) for one in orjson.loads(row["messages"])), row["fact"])


def check_files(dataset: Dataset, files: dict[str, str]) -> None:
    """Read the local files before anything is started; BadInput where there is nothing in them to learn."""
    if paths := [path for found in local_files(dataset, files).values() for path in found]:
        gathered((str(path), file_bytes(path)) for path in paths)


def file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; check the path and its rights.") from None


def gathered(files: Iterable[tuple[str, bytes]]) -> Gathered:
    """The conversations in files, named and whole, and the lines that are none; BadInput where all are none."""
    found, names = Gathered([], []), []
    ids: dict[str, Told] = {}
    for name, data in files:
        names.append(name)
        _gather(name, data, found, ids)
    if not found.told:
        raise BadInput(
            f"None of the {len(found.aside)} lines of {', '.join(names)} is a conversation; mend them, each to be "
            f"like {SHAPE}. Causes:\n{listed(found.causes)}"
        )
    return found


def _gather(name: str, data: bytes, found: Gathered, ids: dict[str, Told]) -> None:
    if data.startswith(WIDE):
        raise BadInput(f"{name} is UTF-16 text; save it as UTF-8.")
    objects, start = 0, len(found.aside)
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            value = parsed(raw)
            objects += 1
            one = Told(name, number, conversation(value))
            _check_id(one, ids)
            found.told.append(one)
        except Fault as fault:
            found.aside.append(Aside(name, number, fault, raw))
    if not objects:
        first = found.aside[start:][:1]
        why = f"{first[0].fault.rule}, and line {first[0].line} has {first[0].fault.got}" if first else "it is empty"
        raise BadInput(f"{name} holds no chat data ({why}); give a UTF-8 file with one JSON object a line, as {SHAPE}.")


def _check_id(one: Told, ids: dict[str, Told]) -> None:
    """Two conversations cannot have one name; one that is there twice is found as a duplicate."""
    known = ids.setdefault(one.said.id, one)
    if known.said.messages != one.said.messages:
        raise Fault("an id is used once", f"{one.said.id!r}, as in line {known.line}")


def _table(rows: Sequence[Conversation]) -> Artifact:
    texts = [text_of(row.messages) for row in rows]
    return put_table(
        "conversations",
        pa.table(
            {
                "id": pa.array([row.id for row in rows], pa.string()),
                "messages": pa.array(texts, pa.large_string()),
                "fact": pa.array([row.fact for row in rows], pa.string()),
            }
        ),
    )


def _quarantine(rows: Sequence[Aside]) -> Artifact:
    return put_table(
        "quarantine",
        pa.table(
            {
                "file": [row.file for row in rows],
                "line": [row.line for row in rows],
                "reason": [str(row.fault) for row in rows],
                "raw": pa.array([row.raw.decode(errors="backslashreplace") for row in rows], pa.large_string()),
            }
        ),
    )


def _repeated(rows: Sequence[tuple[Told, str]]) -> Artifact:
    return put_table(
        "repeated",
        pa.table(
            {
                "file": [row.file for row, _ in rows],
                "line": [row.line for row, _ in rows],
                "id": [row.said.id for row, _ in rows],
                "like": [like for _, like in rows],
            }
        ),
    )
