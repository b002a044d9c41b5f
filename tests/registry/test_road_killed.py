"""A road that died at any step: the next run ends where a whole one does."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.artifacts import Store
from tasks.registry import history, ledger
from tasks.registry.recipes import Recipe
from tasks.registry.road import Outcome, Road
from tests.registry.conftest import (
    Killed,
    MemoryBook,
    actions,
    around,
    consistent,
    evidence_of,
    fails,
    two_champions,
    works,
)

ROLLBACK_WRITES = 3  # tag, alias, the other tag


def offers(road: Road, recipe: Recipe) -> Outcome:
    return road.offer(evidence_of(3, 2, against_best=around(0.02)), recipe)


def backs_out(road: Road, recipe: Recipe) -> Outcome:
    return replace(road, smoke=fails).offer(evidence_of(3, 2), recipe)


def approves(road: Road, recipe: Recipe) -> Outcome:
    return road.approve(3, override=True)


def adopts(road: Road, recipe: Recipe) -> Outcome:
    return road.adopt()


def shadows(road: Road, recipe: Recipe) -> Outcome:
    return road.shadow(1)


def rolls_back(road: Road, recipe: Recipe) -> Outcome:
    return road.roll_back()


def forgets(road: Road, recipe: Recipe) -> Outcome:
    road.forget([1], "asked")
    return road.approve(2)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("step", range(1, 9))
@pytest.mark.parametrize("deed", [offers, backs_out, approves, adopts, shadows, rolls_back, forgets])
def test_killed_at_any_step_the_next_run_ends_the_same(
    tmp_path: Path, recipe: Recipe, deed: Callable[[Road, Recipe], Outcome], step: int, late: bool
) -> None:
    ends = []
    for name, lives in (("whole", 10**9), ("killed", step)):
        book = MemoryBook()
        road = Road(Store(tmp_path / name), "wine", book, tmp_path / name / "lock", "test", works)
        two_champions(road, recipe)
        if deed is adopts:
            book.marks["champion"] = 4
        if deed is forgets:
            road.shadow(1)
        book.lives, book.late = lives, late
        try:
            deed(road, recipe)
            book.lives = 10**9
        except Killed:
            book.lives = 10**9
            # nothing is left of a rollback whose last write was made: the next one would be a second one
            if not (deed is rolls_back and late and step == ROLLBACK_WRITES):
                deed(road, recipe)
        consistent(road, book)
        ends.append((actions(road), book.marks, history.champion(ledger.entries(road.store, "wine"))))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("after", range(1, 9))
def test_killed_at_any_write_to_the_store_the_next_run_ends_the_same(
    tmp_path: Path, recipe: Recipe, after: int
) -> None:
    class Dying(Store):
        lives = 10**9

        def create(self, name: str, data: bytes) -> bool:
            self.lives -= 1
            if self.lives == 0:
                raise Killed
            return super().create(name, data)

    store, book = Dying(tmp_path / "store"), MemoryBook()
    road = Road(store, "wine", book, tmp_path / "lock", "test", works)
    two_champions(road, recipe)
    store.lives = after
    try:
        offers(road, recipe)
    except Killed:
        store.lives = 10**9
        offers(road, recipe)
    assert actions(road) == ["stage", "promote"] * 3
    consistent(road, book)
