import numpy as np
import pytest
from sklearn import metrics as sk

from tasks import statistics
from tasks.tables import metrics
from tasks.tables.specs import METRICS

RANDOM = np.random.default_rng(3)
TRUTH = RANDOM.integers(0, 2, 400).astype(float)
CHANCE = np.clip(TRUTH * 0.3 + RANDOM.random(400) * 0.7, 0.01, 0.99)[:, None]
GRADES = RANDOM.integers(3, 9, 400).astype(float)
GUESS = (GRADES + RANDOM.normal(0, 0.9, 400))[:, None]
CLASS = RANDOM.integers(0, 3, 400).astype(float)
SHARES = RANDOM.dirichlet(np.ones(3), 400) * 0.5 + 0.5 * np.eye(3)[CLASS.astype(int)] * RANDOM.random((400, 1))
SHARES /= SHARES.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("name", "target", "predictions", "expected"),
    [
        ("auc", TRUTH, CHANCE, sk.roc_auc_score(TRUTH, CHANCE[:, 0])),
        ("log_loss", TRUTH, CHANCE, sk.log_loss(TRUTH, CHANCE[:, 0])),
        ("brier", TRUTH, CHANCE, sk.brier_score_loss(TRUTH, CHANCE[:, 0])),
        ("accuracy", TRUTH, CHANCE, sk.accuracy_score(TRUTH, CHANCE[:, 0] >= 0.5)),
        ("f1", TRUTH, CHANCE, sk.f1_score(TRUTH, CHANCE[:, 0] >= 0.5)),
        ("mae", GRADES, GUESS, sk.mean_absolute_error(GRADES, GUESS)),
        ("rmse", GRADES, GUESS, sk.root_mean_squared_error(GRADES, GUESS)),
        ("r2", GRADES, GUESS, sk.r2_score(GRADES, GUESS)),
        ("qwk", GRADES, GUESS, sk.cohen_kappa_score(GRADES, np.rint(GUESS[:, 0]), weights="quadratic")),
        ("within_one", GRADES, GUESS, np.mean(np.abs(GRADES - np.rint(GUESS[:, 0])) <= 1)),
        ("log_loss", CLASS, SHARES, sk.log_loss(CLASS, SHARES)),
        ("accuracy", CLASS, SHARES, sk.accuracy_score(CLASS, SHARES.argmax(axis=1))),
        ("macro_f1", CLASS, SHARES, sk.f1_score(CLASS, SHARES.argmax(axis=1), average="macro")),
    ],
)
def test_the_values_are_scikit_learns(name: str, target: np.ndarray, predictions: np.ndarray, expected: float) -> None:
    assert metrics.value(name, target, predictions) == pytest.approx(expected, abs=1e-9)


def test_every_metric_of_a_task_has_an_interval_around_it() -> None:
    for names, target, predictions in (
        (METRICS["binary"], TRUTH, CHANCE),
        (METRICS["regression"], GRADES, GUESS),
        (METRICS["multiclass"], CLASS, SHARES),
    ):
        for name, found in metrics.measure(names, target, predictions).items():
            assert found.low <= found.value <= found.high and found.low < found.high, name


def test_calibration_error_is_small_when_chances_are_true() -> None:
    chance = RANDOM.random((20_000, 1))
    happened = (RANDOM.random(20_000) < chance[:, 0]).astype(float)
    assert metrics.value("ece", happened, chance) < 0.02
    assert metrics.value("ece", happened, chance**3) > 0.15


def test_the_bootstrap_and_the_delta_method_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["rmse", "r2", "qwk"]
    boot = metrics.measure(names, GRADES, GUESS)
    monkeypatch.setattr(statistics, "MANY", 10)
    delta = metrics.measure(names, GRADES, GUESS)
    for name in names:
        assert delta[name].value == boot[name].value
        wide = boot[name].high - boot[name].low
        assert delta[name].low == pytest.approx(boot[name].low, abs=0.15 * wide)
        assert delta[name].high == pytest.approx(boot[name].high, abs=0.15 * wide)


@pytest.mark.parametrize("name", ["mae", "r2", "auc", "log_loss"])
def test_a_difference_is_positive_for_the_better_side(name: str) -> None:
    target, good = (TRUTH, CHANCE) if name in ("auc", "log_loss") else (GRADES, GUESS)
    bad = good[RANDOM.permutation(len(good))]
    assert metrics.difference(name, target, good, bad).low > 0
    assert metrics.difference(name, target, bad, good).high < 0
    same = metrics.difference(name, target, good, good)
    assert (same.low, same.value, same.high) == (0, 0, 0)


@pytest.mark.parametrize("name", ["auc", "accuracy", "f1"])
def test_sides_that_few_rows_do_not_tell_apart_are_not_called_equal(name: str) -> None:
    """Both make no mistake on 13 rows, where 1 in 4 could be one."""
    target = np.array([0.0] * 7 + [1.0] * 6)
    sharp, blunt = (target[:, None] * 0.8 + 0.1), (target[:, None] * 0.2 + 0.4)
    assert metrics.difference(name, target, sharp, sharp).low == 0
    few = metrics.difference(name, target, sharp, blunt)
    assert (few.low, few.value, few.high) == pytest.approx((-0.5, 0, 0.5))
    many = metrics.difference(name, np.tile(target, 1000), np.tile(sharp, (1000, 1)), np.tile(blunt, (1000, 1)))
    assert many.low == pytest.approx(-0.0005)
    copies = np.tile(np.arange(13), 1000)
    same = metrics.difference(name, np.tile(target, 1000), np.tile(sharp, (1000, 1)), np.tile(blunt, (1000, 1)), copies)
    assert same.low == pytest.approx(-0.5)


def test_equal_models_are_called_better_as_rarely_as_the_interval_says() -> None:
    better = 0
    for trial in range(200):
        random = np.random.default_rng(trial)
        target = random.normal(size=200)
        one, two = (target[:, None] + random.normal(size=(200, 1)) for _ in range(2))
        better += metrics.difference("mae", target, one, two).low > 0
    assert better <= 12


@pytest.mark.parametrize("name", ["mae", "auc"])
def test_equal_models_on_duplicated_rows_are_called_better_no_oftener(name: str) -> None:
    trials, better, blind = 200, 0, 0
    for trial in range(trials):
        random = np.random.default_rng(trial)
        groups = np.repeat(np.arange(120), random.integers(1, 9, 120))
        target = (random.random(120) < 0.5).astype(float)
        one, two = (target + random.normal(size=(2, 120)))[:, :, None]
        sides = target[groups], one[groups], two[groups]
        better += metrics.difference(name, *sides, groups).low > 0
        blind += metrics.difference(name, *sides).low > 0
    assert better <= 12 < 20 < blind  # of 200, nominal 5
