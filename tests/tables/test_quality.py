"""The recipes in the box on the real tables, against anchors: a default LightGBM, and what folds gave."""

from pathlib import Path

import lightgbm
import numpy as np
import pyarrow as pa
import pytest

from tasks.artifacts import Artifact, Store
from tasks.registry.gate import BASELINE, decide
from tasks.registry.recipes import load_recipe, parsed
from tasks.sources.catalog import Dataset, load_dataset
from tasks.sources.contracts import load_contract
from tasks.sources.fetch import fetch
from tasks.sources.frames import put_table
from tasks.sources.reading import pieces, read
from tasks.tables import (
    baseline,
    booster,
    choose,
    contracts,
    encoding,
    evaluation,
    features,
    linear,
    release_folder,
    scoring,
    splits,
)
from tasks.tables.arrays import encoded, parts_of
from tasks.tables.evidence import as_served, gather
from tasks.tables.fairness import Ground, Side
from tasks.tables.metrics import difference, value
from tasks.tables.models import load_model
from tasks.tables.specs import TabularRecipe

DATA = Path(__file__).parents[2] / "data"


def checked(name: str, files: dict[str, str]) -> tuple[TabularRecipe, Dataset, contracts.Checked]:
    """A release's recipe, its dataset, and the table that kept the contract."""
    recipe = parsed(TabularRecipe, load_recipe(name, [DATA]), name)
    dataset = load_dataset(recipe.dataset, [DATA])
    contract = load_contract(dataset.contract, [DATA])
    return recipe, dataset, contracts.check(read(pieces(fetch(dataset, files), dataset, contract), contract), contract)


def wine(shared: Path) -> dict[str, str]:
    return {colour: str(shared / "tables" / f"winequality-{colour}.csv") for colour in ("red", "white")}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["wine-quality", "credit-risk", "credit-default"])
def test_the_recipes_in_the_box_are_promoted(store: Store, shared_data: Path, name: str) -> None:
    files = {
        "wine-quality": wine(shared_data),
        "credit-risk": {},
        "credit-default": {"data": str(shared_data / "tables" / "default_of_credit_card_clients.csv")},
    }[name]
    recipe, dataset, found = checked(name, files)
    subject, training = recipe.subject(dataset.time, dataset.group), recipe.training()
    split = splits.split(found.good, subject, recipe.split, recipe.drop).artifact
    made = features.build(name, found.good, subject, recipe.drop)
    transform = encoding.learn(made, split, subject)
    floor = baseline.fit(made, split, transform, subject, training)
    fitted = [fit(made, split, transform, subject, training) for fit in (booster.fit, linear.fit)]
    choice = choose.choose(fitted, floor)
    scores, below = (scoring.score(model, made, split) for model in (choice.model, floor))
    release = release_folder.assemble(
        release_folder.Made(
            release=name,
            key="k",
            model=choice.model,
            table=found.good,
            split=split,
            contract=load_contract(dataset.contract, [DATA]),
            subject=subject,
            drop=recipe.drop,
        ),
        evaluation.evaluate(scores, found.good, subject, tuple(recipe.slices)),
    )
    ground = Ground(snapshot="v1", table=found.good, split=split, time=dataset.time)
    decision = decide(
        gather(
            recipe,
            subject,
            ground,
            Side(version="1", scores=scores, trained=split),
            Side(version=BASELINE, scores=below, trained=split),
            as_served(recipe, ground, release),
            refusal=choice.refusal,
        ),
        recipe,
    )
    assert decision.promote, [reason.text for reason in decision.failed]


def on_wine(store: Store, shared: Path) -> tuple[TabularRecipe, Artifact, Artifact, Artifact]:
    recipe, dataset, found = checked("wine-quality", wine(shared))
    subject = recipe.subject(dataset.time, dataset.group)
    split = splits.split(found.good, subject, recipe.split, recipe.drop).artifact
    made = features.build("wine", found.good, subject, recipe.drop)
    return recipe, split, made, encoding.learn(made, split, subject)


def test_wine_is_not_worse_than_a_default_lightgbm_on_grouped_rows(store: Store, shared_data: Path) -> None:
    recipe, split, made, transform = on_wine(store, shared_data)
    ours = load_model(store.path(booster.fit(made, split, transform, recipe.subject(), recipe.training())))
    learned, inputs, target, _ = encoded(made, recipe.subject(), transform)
    test = parts_of(split) == "test"
    data = lightgbm.Dataset(inputs[~test], target[~test], categorical_feature=learned.categorical)
    default = lightgbm.train({"verbosity": -1, "seed": 0}, data, 100)
    theirs = np.asarray(default.predict(inputs[test]))[:, None]
    gap = difference("mae", target[test], ours.predictions(inputs[test]), theirs)
    assert gap.low > -recipe.margin, str(gap)
    assert value("mae", target[test], ours.predictions(inputs[test])) < 0.56


def test_wine_duplicates_are_on_one_side(store: Store, shared_data: Path) -> None:
    recipe, split, made, transform = on_wine(store, shared_data)
    _, inputs, _, _ = encoded(made, recipe.subject(), transform)
    test = parts_of(split) == "test"
    sides = [{row.tobytes() for row in inputs[side]} for side in (test, ~test)]
    assert not sides[0] & sides[1]
    assert len(sides[0]) + len(sides[1]) < 0.9 * len(inputs)


@pytest.mark.timeout(180)
def test_credit_default_reaches_the_anchor_in_five_folds(store: Store, shared_data: Path) -> None:
    path = str(shared_data / "tables" / "default_of_credit_card_clients.csv")
    recipe, dataset, found = checked("credit-default", {"data": path})
    subject = recipe.subject(dataset.time, dataset.group)
    made = features.build("credit-default", found.good, subject, recipe.drop)
    fold = np.random.default_rng(0).permutation(found.good.meta["rows"]) % 5
    areas = []
    for test in range(5):
        parts = np.where(fold == test, "test", np.where(fold == (test + 1) % 5, "valid", "train"))
        split = put_table("splits", pa.table({"part": pa.array(parts), "row": pa.array(range(len(parts)))}))
        transform = encoding.learn(made, split, subject)
        model = load_model(store.path(booster.fit(made, split, transform, subject, recipe.training())))
        _, inputs, target, _ = encoded(made, subject, transform)
        areas.append(value("auc", target[fold == test], model.predictions(inputs[fold == test])))
    assert np.mean(areas) >= 0.775, areas
