"""Feedback on two versions, compared: known differences, too little of it, and what does not count."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tasks.statistics import newcombe
from tasks.watching.log import Record
from tasks.watching.trial import FEWEST, Measure, compare


def answers(version: str, count: int, output: dict[str, Any], start: int = 0, **more: Any) -> list[Record]:
    return [
        Record("prediction", f"v{version}-{number}", "shop", version, output=output, **({"time": 50.0} | more))
        for number in range(start, start + count)
    ]


def said(version: str, number: int, **what: Any) -> Record:
    return Record("feedback", f"v{version}-{number}", "shop", "1", **({"time": 60.0} | what))


def compared(records: list[Record], since: float = 0, until: float = 100) -> dict[str, Measure]:
    read: Callable[[], Iterator[Record]] = lambda: iter(records)  # noqa: E731
    return {one.name: one for one in compare(read, "1", "2", since, until)}


def thumbs(version: str, up: int, down: int) -> list[Record]:
    rated = [said(version, number, rating=1 if number < up else -1) for number in range(up + down)]
    return [*rated, *answers(version, up + down, {"answered": True})]


def test_shares_of_thumbs_are_compared_with_an_interval() -> None:
    found = compared([*thumbs("1", 60, 40), *thumbs("2", 45, 5)])
    rated = found["positive ratings"]
    assert (rated.champion, rated.trial, rated.counts) == (0.6, 0.9, (100, 50))
    assert rated.difference == newcombe(45, 50, 60, 100)
    assert rated.says == "the trial is better"
    assert (found["no answer"].champion, found["no answer"].says) == (0.0, "no difference is shown")
    worse = compared([*thumbs("1", 45, 5), *thumbs("2", 60, 40)])["positive ratings"]
    assert worse.says == "the trial is worse"


def test_too_little_feedback_says_how_much_is_missing() -> None:
    found = compared([*thumbs("1", 60, 40), *thumbs("2", 10, 2)])["positive ratings"]
    assert (found.difference, found.says) == (None, f"not enough: {FEWEST - 12} more of v2")
    open_ = compared([*thumbs("1", 60, 40), *thumbs("2", 33, 17)])["positive ratings"]
    assert open_.difference is not None and open_.difference.low < 0 < open_.difference.high
    assert open_.says.startswith("no difference is shown; about ")


def test_as_many_more_as_it_says_settle_it() -> None:
    open_ = compared([*thumbs("1", 60, 40), *thumbs("2", 33, 17)])["positive ratings"]
    more = int(open_.says.partition("about ")[2].partition(" more")[0])
    times = (150 + more) // 150 + 1
    settled = compared([*thumbs("1", 60 * times, 40 * times), *thumbs("2", 33 * times, 17 * times)])
    assert settled["positive ratings"].says == "the trial is better"


def test_stars_are_compared_by_their_mean() -> None:
    rng = np.random.default_rng(0)
    records = [one for version in "12" for one in answers(version, 60, {})]
    records += [said("1", n, rating=int(rng.integers(1, 4))) for n in range(60)]
    records += [said("2", n, rating=int(rng.integers(3, 6))) for n in range(60)]
    found = compared(records)
    assert "positive ratings" not in found and found["mean rating"].says == "the trial is better"


@pytest.mark.parametrize(
    ("output", "label"), [({"prediction": 1, "probability": 0.7}, 1.0), ({"prediction": "yes"}, "yes")]
)
def test_classes_are_right_or_wrong(output: dict[str, Any], label: Any) -> None:
    records = [*answers("1", 50, output), *answers("2", 50, output)]
    records += [said("1", n, label=label if n < 25 else "other") for n in range(50)]
    records += [said("2", n, label=label if n < 49 else "other") for n in range(50)]
    found = compared(records)["accuracy"]
    assert (found.champion, found.trial, found.says) == (0.5, 0.98, "the trial is better")


def test_numbers_are_off_by_so_much() -> None:
    records = [*answers("1", 40, {"prediction": 10.0}), *answers("2", 40, {"prediction": 12.0})]
    records += [said(version, n, label=12.5 + n % 3) for version in "12" for n in range(40)]
    found = compared(records)["absolute error"]
    assert (found.higher_is_better, found.says) == (False, "the trial is better")
    assert found.trial == pytest.approx(1.475) and found.difference is not None and found.difference.value == -2


def test_the_last_word_counts_and_other_askers_versions_and_times_do_not() -> None:
    records = thumbs("1", 60, 40)
    records += [said("1", 0, rating=-1, time=61.0), said("1", 1, rating=-1, time=59.0)]  # the second was taken back
    records += [said("1", number, rating=-1, tenant="another") for number in range(60)]
    records += answers("1", 50, {"answered": False}, start=200, time=500.0)
    records += answers("3", 50, {"answered": False}, start=300)
    records += [Record("shadow", "v1-0", "shop", "2", output={"answered": False}, time=50.0)]
    found = compared(records)
    assert found["positive ratings"].champion == 0.59
    assert found["no answer"].counts == (100, 0)


def test_latencies_are_compared() -> None:
    records = [one for n in range(50) for one in answers("1", 1, {}, n, latency_ms=10.0 + n % 5)]
    records += [one for n in range(50) for one in answers("2", 1, {}, n, latency_ms=30.0 + n % 5)]
    found = compared(records)["latency_ms"]
    assert found.says == "the trial is worse" and found.difference is not None
    assert found.difference.value == pytest.approx(20)
