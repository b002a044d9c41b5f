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
    delong,
    delong_difference,
    intervals,
    newcombe,
    rows_needed,
    welch,
    wilson,
)


def mean(losses: np.ndarray, groups: np.ndarray | None = None, seed: int = 0) -> Interval:
    return intervals(losses[:, None], [lambda means: means[..., 0]], groups, seed)[0]


def width(interval: Interval) -> float:
    return interval.high - interval.low


def test_bootstrap_of_a_mean_agrees_with_the_central_limit() -> None:
    losses = np.random.default_rng(1).exponential(size=3000)
    error = losses.std(ddof=1) / math.sqrt(3000)
    assert mean(losses).value == pytest.approx(losses.mean())
    assert width(mean(losses)) == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_many_rows_take_the_normal_interval() -> None:
    losses = np.random.default_rng(1).exponential(size=MANY + 1)
    assert width(mean(losses)) == pytest.approx(2 * 1.96 * losses.std(ddof=1) / math.sqrt(len(losses)), rel=1e-4)


def test_the_seed_decides() -> None:
    losses = np.random.default_rng(1).exponential(size=300)
    assert mean(losses) == mean(losses)
    assert mean(losses) != mean(losses, seed=1)


def test_groups_of_one_row_change_nothing() -> None:
    generator = np.random.default_rng(8)
    for rows in (500, MANY + 1):
        losses, alone = generator.exponential(size=rows), generator.permutation(rows)
        assert mean(losses, alone) == mean(losses)
    truth, alone = generator.integers(0, 2, 500), generator.permutation(500)
    one, two = truth + generator.normal(size=(2, 500))
    assert delong(truth, one, alone) == delong(truth, one)
    assert delong_difference(truth, one, two, alone) == delong_difference(truth, one, two)


@pytest.mark.parametrize("rows", [2_000, MANY + 1])
def test_rows_that_are_there_four_times_say_no_more_than_once(rows: int) -> None:
    losses = np.random.default_rng(9).exponential(size=rows)
    again, groups = np.tile(losses, 4), np.tile(np.arange(rows), 4)
    assert width(mean(again, groups)) == pytest.approx(width(mean(losses)), rel=0.08)
    assert width(mean(again)) == pytest.approx(width(mean(losses)) / 2, rel=0.08)


def test_clustered_delong_undoes_duplication_and_agrees_with_the_bootstrap_of_groups() -> None:
    generator = np.random.default_rng(10)
    truth = generator.integers(0, 2, 300)
    score = truth + generator.normal(size=300)
    groups = np.tile(np.arange(300), 4)
    assert width(delong(np.tile(truth, 4), np.tile(score, 4), groups)) == pytest.approx(
        width(delong(truth, score)), rel=0.01
    )
    groups = np.repeat(np.arange(60), 5)  # of both classes, with something in common
    score = truth + generator.normal(size=300) + generator.normal(size=60)[groups]
    areas = []
    for _ in range(600):
        rows = (5 * generator.integers(0, 60, 60)[:, None] + np.arange(5)).ravel()
        areas.append(roc_auc_score(truth[rows], score[rows]))
    assert width(delong(truth, score, groups)) == pytest.approx(2 * 1.96 * float(np.std(areas)), rel=0.15)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=8, max_size=60))
@settings(max_examples=60)
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
    gaps = []
    for _ in range(300):
        rows = generator.integers(0, 800, 800)
        gaps.append(roc_auc_score(truth[rows], good[rows]) - roc_auc_score(truth[rows], bad[rows]))
    assert fast.value == pytest.approx(roc_auc_score(truth, good) - roc_auc_score(truth, bad))
    assert width(fast) == pytest.approx(2 * 1.96 * float(np.std(gaps)), rel=0.15)
    assert fast.low > 0


def test_a_score_against_itself_differs_by_nothing() -> None:
    truth, score = np.array([0, 1, 0, 1, 1]), np.array([0.1, 0.9, 0.4, 0.3, 0.5])
    assert delong_difference(truth, score, score) == Interval(low=0, value=0, high=0)


def test_rows_needed_would_settle_it() -> None:
    generator = np.random.default_rng(7)
    new, old = (generator.normal(loss, 0.3, 300) for loss in (0.0, 0.03))
    open_question = mean(old - new)
    assert open_question.low < 0
    needed = rows_needed(open_question, 300, margin=0)
    assert needed is not None and needed > 300
    settled = 0
    for _ in range(60):
        old, new = generator.normal([[open_question.value], [0.0]], 0.3, (2, needed))
        settled += mean(old - new).low > 0
    assert settled / 60 > 0.6  # nominal 0.8


def test_no_number_of_rows_settles_what_is_equal() -> None:
    assert rows_needed(Interval(low=-1, value=0, high=1), 100, margin=0) is None
    assert rows_needed(Interval(low=-1, value=0, high=1), 100, margin=0.5) is not None


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mean(np.array([1.0])), "at least 2"),
        (lambda: mean(np.array([1.0, 2.0]), np.array([7, 7])), "2 rows in 1 groups"),
        (lambda: mean(np.array([1.0, np.nan])), "not finite"),
        (lambda: delong(np.array([1, 1, 1]), np.array([1, 2, 3])), "0 negative"),
        (lambda: delong(np.array([1, 1, 0, 0]), np.arange(4), np.array([5, 5, 6, 7])), "2 groups .* got 1 and 2"),
    ],
)
def test_what_cannot_have_an_interval_says_why(call: object, said: str) -> None:
    assert callable(call)
    with pytest.raises(BadInput, match=said):
        call()


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_a_difference_of_shares_is_that_of_newcombes_table(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = newcombe(*counts)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    mirrored = newcombe(*counts[2:], *counts[:2])
    assert (mirrored.low, mirrored.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def test_wilsons_interval_of_a_share() -> None:
    found = wilson(81, 263)
    assert (found.low, found.high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    assert (wilson(0, 20).low, wilson(20, 20).high) == (0.0, 1.0)


def test_a_difference_of_means_is_scipys() -> None:
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(3)
    one, two = rng.normal(1.0, 2.0, 40), rng.normal(0.5, 0.3, 9)
    known = ttest_ind(one, two, equal_var=False).confidence_interval()
    found = welch(one, two)
    assert (found.low, found.high) == (pytest.approx(known.low), pytest.approx(known.high))
    assert found.value == pytest.approx(one.mean() - two.mean())
    assert welch(np.ones(3), np.zeros(5)).low == 1.0
