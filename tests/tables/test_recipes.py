from pathlib import Path

import pytest

from tasks.errors import BadInput
from tasks.registry.recipes import load_recipe, parsed, release_names
from tasks.sources.catalog import load_dataset
from tasks.sources.contracts import Column, Contract, load_contract
from tasks.tables import steps
from tasks.tables.named_columns import check_named, named
from tasks.tables.specs import TabularRecipe

DATA = Path(__file__).parents[2] / "data"
TABULAR = ["credit-default", "credit-risk", "wine-quality"]
PLAIN = {"name": "x", "dataset": "x", "target": "y", "task": "binary", "metric": "auc"}


@pytest.mark.parametrize("name", TABULAR)
def test_the_recipes_in_the_box_fit_their_data(name: str) -> None:
    recipe = parsed(TabularRecipe, load_recipe(name, [DATA]), name)
    dataset = load_dataset(recipe.dataset, [DATA])
    check_named(name, named(recipe), load_contract(dataset.contract, [DATA]))
    assert recipe.floors and recipe.approval == "auto"
    assert recipe.subject(dataset.time).carried == ((dataset.time,) if dataset.time else ())


def test_the_box_has_them() -> None:
    assert set(TABULAR) <= set(release_names([DATA]))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"metric": "mae"}, "no metric mae for binary; there are auc"),
        ({"floors": {"rmse": 1}}, "no metric rmse for binary"),
        ({"drop": ["y"]}, "the target y is in `drop`"),
        ({"split": {"by": "time"}}, "split by time needs `column`"),
        ({"split": {"test": 0.5, "valid": 0.4}}, "under 20 % of the rows"),
        ({"slice_floors": {"auc": 0.7}}, "`slice_floors` hold for nothing without `slices`"),
        ({"tarrget": "y"}, "unknown field 'tarrget', did you mean 'target'"),
        ({"features": "module.function"}, "features"),
    ],
)
def test_a_wrong_recipe_is_told_with_its_field(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        parsed(TabularRecipe, PLAIN | wrong, "releases/x.yaml")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"target": "price"}, "`target` names 'price', not a column of the data; its columns are: size, town, day, y."),
        ({"drop": ["siez"]}, "`drop` names 'siez', .* did you mean 'size'"),
        ({"slices": ["town", "towns"]}, "`slices` names 'towns', .* did you mean 'town'"),
        ({"split": {"by": "time", "column": "days"}}, "`split.column` names 'days', .* did you mean 'day'"),
        ({"behaviour": [{"kind": "minimum", "name": "a", "row": {"sise": 1}}]}, "`behaviour` names 'sise'"),
    ],
)
def test_a_column_that_the_data_does_not_have_is_told_with_its_field(wrong: dict[str, object], told: str) -> None:
    columns = {name: Column(dtype="float") for name in ("size", "town", "day", "y")}
    contract = Contract(columns=columns)
    right = {"drop": ["day"], "slices": ["town"], "split": {"by": "group", "column": "town"}}
    check_named("x", named(parsed(TabularRecipe, PLAIN | right, "x")), contract)
    with pytest.raises(BadInput, match=told):
        check_named("x", named(parsed(TabularRecipe, PLAIN | wrong, "x")), contract)


def test_a_fit_sees_its_seed_and_parameters_and_nothing_else_of_the_recipe() -> None:
    recipe = TabularRecipe.model_validate(PLAIN | {"parameters": {"num_leaves": 9}, "floors": {"auc": 0.9}})
    training = recipe.training(seed=7, found={"num_leaves": 30, "lambda_l2": 1.0})
    assert training.model_dump() == {"metric": "auc", "seed": 7, "parameters": {"num_leaves": 9, "lambda_l2": 1.0}}
    assert recipe.training().seed == recipe.seed


def test_the_steps_can_be_told_apart_in_the_ui() -> None:
    names = [step.name for name, step in vars(steps).items() if hasattr(step, "fn") and name != "cached"]
    assert len(names) == len(set(names)) == 14
    assert steps.fit_booster.fn.__module__ == "tasks.tables.booster"
