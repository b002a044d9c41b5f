"""Intervals against known answers, against scikit-learn, and by their error rates."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tasks.errors import BadInput
from tasks.statistics import (
    MANY,
    Interval,
    bootstrap_interval,
    bootstrap_metric,
    delong,
    delong_difference,
    paired_bootstrap,
    rows_needed,
)


def test_bootstrap_of_a_mean_agrees_with_the_central_limit() -> None:
    losses = np.random.default_rng(1).exponential(size=3000)
    interval = bootstrap_interval(losses)
    error = losses.std(ddof=1) / math.sqrt(3000)
    assert interval.value == pytest.approx(losses.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_many_rows_take_the_normal_interval() -> None:
    losses = np.random.default_rng(1).exponential(size=MANY + 1)
    interval = bootstrap_interval(losses)
    assert interval.high - interval.value == pytest.approx(1.96 * losses.std(ddof=1) / math.sqrt(len(losses)), rel=1e-4)


def test_the_seed_decides() -> None:
    losses = np.random.default_rng(1).exponential(size=300)
    assert bootstrap_interval(losses) == bootstrap_interval(losses)
    assert bootstrap_interval(losses) != bootstrap_interval(losses, seed=1)


def test_pairing_narrows_the_interval_and_better_is_positive() -> None:
    generator = np.random.default_rng(2)
    hard = generator.exponential(size=1000)
    old, new = hard + generator.normal(0.1, 0.05, 1000), hard + generator.normal(0.05, 0.05, 1000)
    paired = paired_bootstrap(new, old)
    assert 0 < paired.low < paired.value == pytest.approx(0.05, abs=0.01)
    assert paired.high - paired.low < (bootstrap_interval(new).high - bootstrap_interval(new).low) / 5


def test_equal_versions_differ_by_nothing() -> None:
    losses = np.random.default_rng(3).exponential(size=200)
    assert paired_bootstrap(losses, losses) == Interval(low=0, value=0, high=0)


def test_equal_models_are_called_better_in_about_one_of_forty() -> None:
    generator = np.random.default_rng(4)
    better = 0
    for _ in range(400):
        old, new = generator.normal(size=(2, 200))
        better += paired_bootstrap(new, old, rounds=400).low > 0
    assert better / 400 < 0.055  # nominal 0.025, and the 99.9 % bound of its count


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=8, max_size=60))
@settings(max_examples=60, deadline=None)
def test_delong_is_the_area_of_scikit_learn_ties_included(rows: list[tuple[bool, int]]) -> None:
    truth = np.array([True, True, False, False, *(row[0] for row in rows)])
    score = np.array([3, 1, 2, 0, *(row[1] for row in rows)])
    interval = delong(truth, score)
    assert interval.value == pytest.approx(roc_auc_score(truth, score))
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_delong_difference_agrees_with_the_bootstrap() -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 2, 800)
    good, bad = truth + generator.normal(size=800), truth + 2 * generator.normal(size=800)
    fast = delong_difference(truth, good, bad)
    slow = bootstrap_metric(
        lambda rows: roc_auc_score(truth[rows], good[rows]) - roc_auc_score(truth[rows], bad[rows]), 800, rounds=300
    )
    assert fast.value == pytest.approx(slow.value)
    assert fast.high - fast.low == pytest.approx(slow.high - slow.low, rel=0.15)
    assert fast.low > 0


def test_a_score_against_itself_differs_by_nothing() -> None:
    truth, score = np.array([0, 1, 0, 1, 1]), np.array([0.1, 0.9, 0.4, 0.3, 0.5])
    assert delong_difference(truth, score, score) == Interval(low=0, value=0, high=0)


def test_the_jackknife_beyond_many_rows_agrees_with_the_bootstrap() -> None:
    values = np.random.default_rng(6).lognormal(size=MANY + 10)
    jackknife = bootstrap_metric(lambda rows: float(values[rows].std() / values[rows].mean()), len(values))
    smaller = bootstrap_metric(lambda rows: float(values[rows].std() / values[rows].mean()), MANY, rounds=200)
    assert jackknife.high - jackknife.low == pytest.approx(smaller.high - smaller.low, rel=0.35)


def test_rows_needed_would_settle_it() -> None:
    generator = np.random.default_rng(7)
    open_question = paired_bootstrap(*(generator.normal(loss, 0.3, 300) for loss in (0.0, 0.03)))
    assert open_question.low < 0
    needed = rows_needed(open_question, 300, margin=0)
    assert needed is not None and needed > 300
    settled = 0
    for _ in range(60):
        old, new = generator.normal([[open_question.value], [0.0]], 0.3, (2, needed))
        settled += paired_bootstrap(new, old, rounds=300).low > 0
    assert settled / 60 > 0.6  # nominal 0.8


def test_no_number_of_rows_settles_what_is_equal() -> None:
    assert rows_needed(Interval(low=-1, value=0, high=1), 100, margin=0) is None
    assert rows_needed(Interval(low=-1, value=0, high=1), 100, margin=0.5) is not None


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bootstrap_interval(np.array([1.0])), "at least 2"),
        (lambda: bootstrap_interval(np.array([1.0, np.nan])), "1 not finite"),
        (lambda: paired_bootstrap(np.zeros(3), np.zeros(4)), "3 and 4"),
        (lambda: delong(np.array([1, 1, 1]), np.array([1, 2, 3])), "0 negative"),
        (lambda: bootstrap_metric(lambda rows: math.nan, 10), "undefined"),
    ],
)
def test_what_cannot_have_an_interval_says_why(call: object, said: str) -> None:
    assert callable(call)
    with pytest.raises(BadInput, match=said):
        call()
