import json

import lightgbm
import numpy as np
import pyarrow as pa
import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import NotFound
from tasks.sources.frames import put_table, read_table
from tasks.tables import booster, choose, encoding, search, splits
from tasks.tables.arrays import columns_of
from tasks.tables.evaluation import scored
from tasks.tables.metrics import higher_is_better, value
from tasks.tables.models import Model, link, load_model
from tasks.tables.specs import SplitSpec, Training
from tests.tables.conftest import METRIC, Trained, houses, train


def encoded(model: Model, features: Artifact) -> np.ndarray:
    names = model.transform.names
    return model.transform.encode_columns(columns_of(read_table(features, names), names))


@pytest.mark.parametrize("family", ["booster", "linear", "baseline"])
def test_contributions_and_base_sum_to_the_raw_score(store: Store, trained: Trained, family: str) -> None:
    model = load_model(store.path(getattr(trained, family)))
    matrix = encoded(model, trained.features)[:50]
    parts = model.scorer.contributions(matrix)
    raw = model.scorer.raw(matrix)
    assert parts.shape == (50, raw.shape[1], len(model.transform.names) + 1)
    np.testing.assert_allclose(parts.sum(axis=2), raw, atol=1e-9)


def test_both_models_beat_the_baseline_and_the_better_one_is_offered(store: Store, trained: Trained) -> None:
    scores, metric = trained.choice.scores, METRIC[trained.subject.task]
    better = max if higher_is_better(metric) else min
    assert trained.choice.refusal is None
    assert trained.choice.family == better(scores, key=lambda family: scores[family]) != "baseline"
    test = scored(trained.scores, trained.features, trained.subject)
    floor = scored(trained.baseline_scores, trained.features, trained.subject)
    ours, theirs = (value(metric, side.target, side.predictions) for side in (test, floor))
    assert better(ours, theirs) == ours != theirs


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(store: Store) -> None:
    one, two, other = (train(houses(400), "regression", seed).booster for seed in (0, 0, 1))
    assert one.digest == two.digest != other.digest


def test_shuffled_labels_are_refused(store: Store) -> None:
    table = houses(400)
    shuffled = np.random.default_rng(1).permutation(table["target"].to_numpy())
    made = train(table.set_column(7, "target", [shuffled]), "regression")
    worst = choose.choose([made.baseline], made.baseline)
    assert worst.refusal is not None and "No model beats the baseline" in worst.refusal
    gain = made.choice.scores["baseline"] - made.choice.scores[made.choice.family]
    assert gain < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_what_only_two_of_few_inputs_say_together_is_learned_whatever_the_seed(store: Store, seed: int) -> None:
    table, random = houses(900, "binary"), np.random.default_rng(2)
    kept = table.select(["id", "month", "size", "rooms", "town", "new"])
    together = (kept["rooms"].to_numpy() > 3) ^ kept["new"].to_numpy(zero_copy_only=False)
    made = train(kept.append_column("target", [together ^ (random.random(900) < 0.1)]), "binary", seed)
    assert made.choice.family == "booster" and made.choice.scores["booster"] > 0.8


def test_a_search_never_ends_below_the_profile_and_is_repeatable(store: Store) -> None:
    made = train(houses(300), "regression")
    split = splits.split(made.table, made.subject, SplitSpec(), ("id",)).artifact
    transform = encoding.learn(made.features, split, made.subject)
    training = Training(metric="mae", parameters={"num_iterations": 60})
    runs = [search.search(made.features, split, transform, made.subject, training, 3) for _ in range(2)]
    assert runs[0] == runs[1] and len(runs[0].trials) == 3
    assert runs[0].score <= runs[0].trials[0]["score"]
    assert runs[0].trials[0]["num_leaves"] == booster.SMALL_PROFILE["num_leaves"]
    found = Training(metric="mae", parameters=runs[0].parameters)
    card = json.loads(
        (store.path(booster.fit(made.features, split, transform, made.subject, found)) / "model.json").read_text()
    )
    assert card["parameters"]["num_leaves"] == runs[0].parameters["num_leaves"]


def test_the_link_is_stable() -> None:
    far = np.array([[-800.0], [0.0], [800.0]])
    np.testing.assert_array_equal(link("binary", far)[:, 0], [0, 0.5, 1])
    np.testing.assert_allclose(link("multiclass", far.T), [[0, 0, 1]])


@pytest.mark.parametrize("name", ["num_iterations", "n_estimators", "num_boost_round", "num_trees"])
def test_the_recipes_number_of_rounds_is_a_bound_below_which_early_stopping_decides(store: Store, name: str) -> None:
    made = train(houses(400), "regression")
    transform = encoding.learn(made.features, made.split, made.subject)

    def rounds(number: int) -> tuple[int, int]:
        training = Training(metric="mae", parameters={name: number, "learning_rate": 0.5})
        folder = store.path(booster.fit(made.features, made.split, transform, made.subject, training))
        trees = lightgbm.Booster(model_file=folder / "model.txt").num_trees()
        return trees, json.loads((folder / "model.json").read_text())["rounds"]

    trees, stopped = rounds(800)
    assert trees == stopped < 400
    assert rounds(2)[0] <= 2


def test_the_classes_and_unseen_levels_of_scores_are_in_their_digest(store: Store) -> None:
    made = train(houses(400, "binary"), "binary")
    other = made.subject.model_copy(update={"positive": False})
    about = json.loads(read_table(made.scores)["about"][0].as_py())
    assert about == {"classes": [False, True], "unseen": {}}
    same = read_table(made.scores).drop_columns(["about"])
    turned = same.append_column("about", pa.repeat(json.dumps({"classes": [True, False], "unseen": {}}), len(same)))
    stored = put_table("scores", turned)
    assert stored.digest != made.scores.digest
    with pytest.raises(NotFound, match="are to be told apart"):
        scored(made.scores, made.table, other)
    assert scored(stored, made.table, other).unseen == {}
