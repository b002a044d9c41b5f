"""A registry in memory that behaves like the real one, and small releases."""

from pathlib import Path

import pytest

from tasks.artifacts import Store, canonical, file_sha256
from tasks.errors import BadInput, NotFound
from tasks.registry import history, ledger, moves
from tasks.registry.gate import Evidence
from tasks.registry.recipes import Recipe
from tasks.registry.rest import VersionInfo, ledger_tag
from tasks.registry.road import Road
from tasks.statistics import Interval


class Killed(BaseException):
    """What `kill -9` looks like to code that cannot catch it."""


class MemoryBook:
    """A registry in memory; with `lives` it dies at that call, before or after doing it."""

    def __init__(self, versions: int = 9) -> None:
        self.marks: dict[str, int] = {}
        self.tags: dict[int, dict[str, str]] = {number: {} for number in range(1, versions + 1)}
        self.lives = 10**9
        self.late = False

    def aliases(self, release: str) -> dict[str, int]:
        return dict(self.marks)

    def versions(self, release: str) -> list[VersionInfo]:
        return [self.version(release, number) for number in self.tags]

    def version(self, release: str, number: int) -> VersionInfo:
        if number not in self.tags:
            raise NotFound(f"There is no version {number} of {release}.")
        return VersionInfo(release=release, version=number, run_id=f"run{number}", tags=dict(self.tags[number]))

    def set_alias(self, release: str, alias: str, version: int) -> None:
        assert version in self.tags
        with Step(self):
            self.marks[alias] = version

    def delete_alias(self, release: str, alias: str) -> None:
        with Step(self):
            self.marks.pop(alias, None)

    def set_tag(self, release: str, version: int, key: str, value: str) -> None:
        with Step(self):
            self.tags[version][key] = value

    def delete_tag(self, release: str, version: int, key: str) -> None:
        with Step(self):
            self.tags[version].pop(key, None)


class Step:
    """One write: the book dies before it, or (late) after it."""

    def __init__(self, book: MemoryBook) -> None:
        self.book = book

    def __enter__(self) -> None:
        self.book.lives -= 1
        if self.book.lives == 0 and not self.book.late:
            raise Killed

    def __exit__(self, *_: object) -> None:
        if self.book.lives == 0 and self.book.late:
            raise Killed


def works(version: int) -> None:
    """A smoke test that passes."""


@pytest.fixture
def book() -> MemoryBook:
    return MemoryBook()


@pytest.fixture
def road(store: Store, book: MemoryBook, tmp_path: Path) -> Road:
    return Road(store=store, release="wine", book=book, lock=tmp_path / "locks" / "wine", who="test", smoke=works)


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(name="wine", kind="tabular", dataset="wine", metric="auc", margin=0.01)


def around(value: float, half: float = 0.005) -> Interval:
    return Interval(low=value - half, value=value, high=value + half)


def evidence_of(candidate: int, champion: int | None, gain: float = 0.02, **changes: object) -> Evidence:
    """A candidate that beats the other side by `gain` ± 0.005."""
    values: dict[str, object] = {
        "release": "wine",
        "candidate": str(candidate),
        "opponent": "baseline" if champion is None else f"champion v{champion}",
        "snapshot": "wine@1",
        "metric": "auc",
        "higher_is_better": True,
        "margin": 0.01,
        "rows": 1000,
        "candidate_metrics": {"auc": around(0.8)},
        "difference": around(gain),
    }
    return Evidence.model_validate(values | changes)


def release_folder(folder: Path, files: dict[str, bytes]) -> Path:
    """A small release with a true release.json."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    schema = [{"name": "ph", "dtype": "float", "nullable": False, "levels": None, "min": 2, "max": 4, "example": 3.1}]
    made = {
        "schema_version": 1,
        "release": "wine",
        "kind": "tabular",
        "key": "k",
        "task": "binary",
        "target": "quality <b>",
        "model": {"family": "booster", "files": sorted(files)},
        "inputs": {"snapshot": "wine@1"},
        "metrics": {},
        "input_schema": schema,
        "output_schema": [],
        "golden": [],
        "files": {name: file_sha256(folder / name) for name in files},
    }
    (folder / "release.json").write_bytes(canonical(made))
    return folder


def fails(version: int) -> None:
    raise BadInput(f"golden request 1 of version {version} gave another answer")


def actions(road: Road) -> list[str]:
    return [entry.action for entry in ledger.entries(road.store, road.release)]


def two_champions(road: Road, recipe: Recipe) -> None:
    assert road.offer(evidence_of(1, None), recipe).state == "promoted"
    assert road.offer(evidence_of(2, 1), recipe).state == "promoted"


def consistent(road: Road, book: MemoryBook) -> None:
    """Ledger, aliases and tags say the same."""
    entries = ledger.entries(road.store, road.release)
    assert ledger.problems(entries) == []
    for alias in moves.ALIASES:
        entry = history.last_move(entries, alias)
        should = {entry.to_version: entry.digest} if entry and entry.to_version else {}
        assert book.marks.get(alias) == (entry.to_version if entry else None)
        assert {n: tags[ledger_tag(alias)] for n, tags in book.tags.items() if ledger_tag(alias) in tags} == should
