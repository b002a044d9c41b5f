"""A small room for tests of this room: a catalogue of ten courses, a tiny base that knows how such facts are asked."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tasks import artifacts
from tasks.artifacts import Artifact, current
from tasks.documents.chunk_file import Chunk
from tasks.language.base import Base
from tasks.language.examples import Examples, from_corpus
from tasks.language.options import ExampleOptions, LoraOptions, Tiny
from tasks.language.tiny import pretrain
from tests.retrieval.pieces import chunk, put_chunks

ROOT = Path(__file__).parents[2]
TINY = Tiny(
    hidden=32,
    layers=1,
    heads=2,
    inner=64,
    context=128,
    vocabulary=400,
    courses=6,
    strange=6,
    steps=150,
    batch=8,
    length=64,
    rate=2e-2,
)
LORA = LoraOptions(rank=8, epochs=4, batch=4, rate=1e-2).settled(0)
COLUMNS = ("teacher", "room", "exam")
FIELDS = (
    "Botany",
    "Ecology",
    "Forestry",
    "Geology",
    "Insects",
    "Justice",
    "Kinetics",
    "Lighting",
    "Masonry",
    "Heraldry",
)


@dataclass(frozen=True)
class Room:
    """The root of a store with a base and examples for it."""

    root: Path
    base: Base
    examples: Examples


def rows(fields: tuple[str, ...] = FIELDS) -> list[tuple[str, ...]]:
    exams = ("oral", "written", "report")
    return [(f"Alpine {field}", f"Dr. {field[:3]}", f"A{len(field)}", exams[len(field) % 3]) for field in fields]


def table(cells: Sequence[tuple[str, ...]], columns: tuple[str, ...] = COLUMNS) -> Chunk:
    """A chunk that is a Markdown table whose first column names the rows."""
    lines = [("course", *columns), tuple("---" for _ in ("", *columns)), *cells]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return chunk("catalogue.md", 0, text, "Courses", "Catalogue").model_copy(update={"kind": "table"})


def made(root: Path) -> Room:
    with artifacts.opened(root):
        learned = pretrain(TINY, lambda _fact: None)
        base = Base(artifact=learned.artifact, name="tiny", licence="apache-2.0", parameters=learned.weights)
        return Room(root, base, from_corpus(put_chunks([table(rows())]), ExampleOptions()))


def copied(artifact: Artifact, root: Path, change: Callable[[Path], Any] | None = None) -> Path:
    """A copy, outside the store, of a folder that is in the open one."""
    folder = Path(shutil.copytree(current().path(artifact), root))
    if change is not None:
        change(folder)
    return folder


def children(pid: int | None = None) -> list[psutil.Process]:
    """The processes apart of this one, or of another."""
    found = []
    for one in psutil.Process(pid).children():
        if one.status() != psutil.STATUS_ZOMBIE and "tasks.language.apart" in one.cmdline():
            found.append(one)
    return found


def ended(pid: int) -> bool:
    """Whether a process is gone; of a zombie only the entry is left."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
