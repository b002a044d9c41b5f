"""Half a year of hourly windows, in no time: how often a release that drifts for ever is trained again."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.registry.recipes import Watch
from tasks.watching.brakes import HOUR, WEEK, Do, Past, held, rule

HALF_A_YEAR = 26 * 7 * 24


def lived(watch: Watch, alarm: Callable[[int], bool], helps: Callable[[int], bool]) -> tuple[list[Past], list[Do]]:
    """Every hour a window; whatever is ruled is done at once, and a person who is asked says yes."""
    past: list[Past] = []
    ruled: list[Do] = []
    for hour in range(HALF_A_YEAR):
        found = rule(watch, alarm(hour), None, past, hour * HOUR)
        ruled.append(found.do)
        if found.do in ("retrain", "ask"):
            past.append(Past(when=hour * HOUR, trained=True, helped=helps(len(past))))
    return past, ruled


def test_drift_without_end_trains_twice_a_week_at_most() -> None:
    past, _ = lived(Watch(act="auto"), lambda hour: True, lambda number: True)
    times = [one.when for one in past]
    assert 50 <= len(past) <= 26 * 2 + 2
    assert min(later - one for one, later in pairwise(times)) >= 24 * HOUR
    assert all(sum(start <= time < start + WEEK for time in times) <= 2 for start in times)


def test_two_retrainings_that_did_not_help_stop_it_for_good() -> None:
    past, ruled = lived(Watch(act="auto"), lambda hour: True, lambda number: False)
    assert len(past) == 2
    assert ruled[-1] == "stop" and "stop" not in ruled[: int(past[-1].when / HOUR)]


def test_one_that_helped_lets_the_next_try() -> None:
    past, ruled = lived(Watch(act="auto"), lambda hour: True, lambda number: number % 2 == 0)
    assert len(past) > 50 and "stop" not in ruled


def test_a_release_that_only_suggests_trains_nothing() -> None:
    past, ruled = lived(Watch(), lambda hour: hour % 5 == 0, lambda number: True)
    assert past == [] and set(ruled) == {"nothing", "suggest"}


def test_a_no_is_not_asked_again_before_the_cooldown_ends() -> None:
    declined = [Past(when=0, trained=False)]
    assert rule(Watch(act="ask"), True, None, declined, 23 * HOUR).until == 24 * HOUR
    assert rule(Watch(act="ask"), True, None, declined, 24 * HOUR).do == "ask"


def test_broken_data_is_never_trained_on() -> None:
    found = rule(Watch(act="auto"), True, "12 % of the rows have no income", [], 0)
    assert found.do == "wait" and "no income" in found.why


def test_an_alarm_that_no_window_can_raise_is_refused() -> None:
    with pytest.raises(ValueError, match="can never happen"):
        Watch(alarms=4, of=3)


@given(
    st.lists(st.tuples(st.floats(0, 8 * WEEK), st.booleans(), st.booleans()), max_size=12),
    st.floats(0, 9 * WEEK),
    st.sampled_from(["suggest", "ask", "auto"]),
    st.booleans(),
)
def test_whatever_happened_before_no_brake_is_passed(
    told: list[tuple[float, bool, bool]], now: float, act: str, alarm: bool
) -> None:
    watch = Watch.model_validate({"act": act})
    past = [Past(when=when, trained=trained, helped=helped) for when, trained, helped in sorted(told)]
    found = rule(watch, alarm, None, past, now)
    if found.do in ("retrain", "ask"):
        assert alarm and act == ("ask" if found.do == "ask" else "auto")
        assert all(now - one.when >= watch.cooldown_hours * HOUR for one in past)
        assert sum(now - one.when < WEEK for one in past if one.trained) < watch.per_week
    if found.until is not None:
        assert found.until > now and held(watch, past, found.until) is None


def test_a_clock_that_jumps_back_starts_nothing() -> None:
    past = [Past(when=100 * HOUR, trained=True, helped=True)]
    hours = random.Random(0).sample(range(100), 20)
    assert {rule(Watch(act="auto"), True, None, past, hour * HOUR).do for hour in hours} == {"wait"}
