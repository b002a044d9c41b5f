import numpy as np
import pytest

from tasks.statistics import Interval
from tasks.tables.metrics import value
from tasks.watching.estimates import calibrated, estimate
from tasks.watching.quality import encoded, live, predictions

ROWS = 4000


def drawn(seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is said, too surely, what happened, and the true chance."""
    generator = np.random.default_rng(seed)
    score = generator.normal(shift, 1.2, ROWS)
    chance = 1 / (1 + np.exp(-score))
    said = 1 / (1 + np.exp(-2.5 * score))
    return said[:, None], (generator.random(ROWS) < chance).astype(float), chance


@pytest.mark.parametrize("metric", ["auc", "accuracy", "log_loss", "brier"])
def test_without_labels_the_metric_of_shifted_rows_is_foretold(metric: str) -> None:
    before, happened, _ = drawn(0)
    now, truth, _ = drawn(1, shift=0.8)
    found = estimate(metric, now, calibrated(before, happened, now))
    assert found is not None
    real = value(metric, truth, now)
    assert found.value == pytest.approx(real, abs=0.02)
    assert found.low - 0.01 <= real <= found.high + 0.01
    assert abs(value(metric, happened, before) - real) > abs(found.value - real)  # better than yesterday's value


def test_another_rule_of_the_target_is_not_foretold() -> None:
    before, happened, _ = drawn(0)
    now, truth, _ = drawn(1)
    found = estimate("auc", now, calibrated(before, happened, now))
    assert found is not None and found.value > 0.7
    assert value("auc", 1 - truth, now) < 0.3  # which no score can tell


def test_several_classes() -> None:
    generator = np.random.default_rng(0)
    chances = generator.dirichlet(np.ones(3), ROWS)
    truth = (generator.random((ROWS, 1)) > chances.cumsum(axis=1)[:, :-1]).sum(axis=1).astype(float)
    half = ROWS // 2
    found = calibrated(chances[:half], truth[:half], chances[half:])
    assert found.sum(axis=1) == pytest.approx(np.ones(half))
    told = estimate("accuracy", chances[half:], found)
    assert told is not None and told.value == pytest.approx(value("accuracy", truth[half:], chances[half:]), abs=0.03)


def test_no_estimate_where_a_class_hardly_occurs() -> None:
    assert estimate("auc", np.full((500, 1), 0.2), np.full((500, 1), 1e-6)) is None


def test_live_quality_stands_beside_the_promise() -> None:
    said, happened, _ = drawn(0)
    names = np.where(np.arange(ROWS) % 4 == 0, "north", "south")
    good = live("auc", happened, said, Interval(low=0.7, value=0.75, high=0.8), {"region": list(names)})
    assert good is not None and good.kept and good.rows == ROWS
    assert [(one.value, one.rows) for one in good.slices] == [("north", 1000), ("south", 3000)]
    bad = live("auc", 1 - happened, said, Interval(low=0.7, value=0.75, high=0.8))
    assert bad is not None and not bad.kept
    errors = live("log_loss", 1 - happened, said, Interval(low=0.4, value=0.5, high=0.6))
    assert errors is not None and not errors.kept


def test_few_labels_say_nothing() -> None:
    assert live("auc", np.array([0.0, 1.0] * 10), np.full((20, 1), 0.5), None) is None
    assert live("auc", np.zeros(100), np.full((100, 1), 0.5), None) is None


def test_labels_are_read_as_the_classes_are_written() -> None:
    truth, fits = encoded([1, 1.0, "0", "perhaps", None, 0], [0, 1])
    assert truth[fits].tolist() == [1, 1, 0, 0] and fits.tolist() == [True, True, True, False, False, True]
    numbers, fits = encoded([3, 4.5, "five"], [])
    assert numbers[fits].tolist() == [3, 4.5]
    assert predictions([{"probabilities": {"a": 0.2, "b": 0.3, "c": 0.5}}], ["a", "b", "c"]).tolist() == [
        [0.2, 0.3, 0.5]
    ]
    assert predictions([], ["no", "yes"]).shape == (0, 1)
