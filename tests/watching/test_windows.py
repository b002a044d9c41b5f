"""Records of windows and wishes: written once, read in order, and what they say about the past."""

from pathlib import Path

import pytest

from tasks.artifacts import Store
from tasks.errors import NotFound, Refused
from tasks.registry.recipes import Watch
from tasks.statistics import Interval
from tasks.watching import wishes
from tasks.watching.brakes import Past
from tasks.watching.drift import Verdict
from tasks.watching.windows import Quality, Window, alarmed, keep, keep_quality, missed, qualities, taken, windows
from tasks.watching.wishes import Answer, Outcome, Wish


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def verdict(exceeds: bool) -> Verdict:
    nothing = {"drifted": (), "missing": (), "new": (), "void": (), "untested": {}, "tests": (), "reasons": ()}
    rows = {"reference_rows": 600, "window_rows": 600, "enough": True, "needed": 0}
    return Verdict.model_validate({**rows, **nothing, "joint": None, "exceeds": exceeds})


def window(number: int, champion: int = 1, exceeds: bool = False, **more: object) -> Window:
    known = {"release": "loans", "number": number, "champion": champion, "reference": "r", "parts": (f"{number:06}",)}
    told = {"rows": 600, "since": 1.0, "until": 2.0, "metric": "auc", "made": 3.0, "verdict": verdict(exceeds)}
    return Window.model_validate(known | told | more)


def wish(number: int, champion: int) -> Wish:
    return Wish(release="loans", number=number, champion=champion, window=1, why="drift", when=float(number))


def done(version: int | None, promoted: bool, when: float) -> Outcome:
    return Outcome(version=version, promoted=promoted, text="", when=when)


def test_a_window_is_written_once(store: Store) -> None:
    assert keep(store, window(2)) and keep(store, window(1))
    assert not keep(store, window(1, exceeds=True))
    assert [one.number for one in windows(store, "loans")] == [1, 2]
    assert not windows(store, "loans")[0].exceeds
    assert taken(windows(store, "loans")) == {"000001", "000002"}


def test_an_alarm_counts_the_windows_of_one_champion() -> None:
    assert alarmed([window(1, exceeds=True)], 1, True, Watch())
    assert not alarmed([window(1, exceeds=True)], 2, True, Watch())
    assert not alarmed([window(1, exceeds=True), window(2, exceeds=True)], 1, False, Watch())
    assert alarmed([], 1, True, Watch(alarms=1, of=1))


def test_estimates_are_held_to_what_labels_said_later(store: Store) -> None:
    estimate = Interval(low=0.7, value=0.75, high=0.8)
    known = [window(1, estimate=estimate), window(2, estimate=estimate), window(3)]
    assert missed(known, {}) is None
    for one, value in ((known[0], 0.73), (known[1], 0.69), (known[2], 0.1)):
        found = Interval(low=value, value=value, high=value)
        keep_quality(store, one, Quality(metric="auc", rows=50, value=found))
    assert missed(known, qualities(store, "loans")) == pytest.approx(0.04)
    newer = Quality(metric="auc", rows=60, value=estimate)
    keep_quality(store, known[0], newer)
    assert qualities(store, "loans")[1] == newer


def test_a_wish_stands_until_it_was_acted_on(store: Store) -> None:
    made = wishes.make(store, wish(1, champion=1))
    assert made.open(1) and not made.open(2)
    assert wishes.make(store, wish(1, champion=7)).champion == 1  # the first writer's stands
    yes = Answer(yes=True, who="ann", when=1.0)
    assert wishes.answer(store, made, yes).open(1)
    assert wishes.answer(store, made, yes.model_copy(update={"who": "bob"})).answer == yes
    with pytest.raises(Refused, match="agreed to by ann"):
        wishes.answer(store, made, yes.model_copy(update={"yes": False}))
    wishes.end(store, made, done(2, True, 5.0))
    wishes.end(store, made, done(9, True, 6.0))
    assert wishes.find(store, "loans", 1).outcome == done(2, True, 5.0)
    assert not wishes.find(store, "loans", 1).open(1)
    with pytest.raises(NotFound, match="no wish 2"):
        wishes.find(store, "loans", 2)


def test_the_past_of_the_brakes(store: Store) -> None:
    """A retraining helped where its version became champion and its first windows were quiet."""
    first = wish(1, 1).model_copy(update={"outcome": done(2, True, 10.0)})
    second = wish(2, 2).model_copy(update={"answer": Answer(yes=False, who="ann", when=20.0)})
    third = wish(3, 2).model_copy(update={"outcome": done(3, False, 30.0)})
    known, loud = [first, second, third], [window(1, champion=2, alarm=True)]
    quiet = [Past(when=10, trained=True, helped=True), Past(when=20, trained=False), Past(when=30, trained=True)]
    assert wishes.past(known, [], 2, 3) == quiet
    assert wishes.past(known, loud, 2, 3) == [Past(when=10, trained=True), *quiet[1:]]
    assert wishes.past(known, [], 7, 3) == []  # a person made another version champion
    assert wishes.past(known[:1], [], 1, 3) == [Past(when=10, trained=True)]  # promoted, and rolled back
