"""Recipes: what is read, and what a mistake says."""

from pathlib import Path

import pytest
from pydantic import ConfigDict

from tasks.errors import BadInput, NotFound
from tasks.registry.recipes import Recipe, load_recipe, parsed, release_names


class Strict(Recipe):
    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str


GOOD = {"name": "wine", "kind": "tabular", "dataset": "wine", "metric": "mae", "target": "quality"}


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    for folder, metric in (("own", "mae"), ("box", "r2")):
        (tmp_path / folder / "releases").mkdir(parents=True)
        (tmp_path / folder / "releases" / "wine-quality.yaml").write_text(f"\ufeffkind: tabular\nmetric: {metric}\n")
    (tmp_path / "box" / "releases" / "credit-risk.yaml").write_text("kind: tabular\n")
    return [tmp_path / "own", tmp_path / "box"]


def test_the_users_own_recipe_wins(folders: list[Path]) -> None:
    assert load_recipe("wine-quality", folders) == {"name": "wine-quality", "kind": "tabular", "metric": "mae"}
    assert release_names(folders) == ["credit-risk", "wine-quality"]


def test_an_unknown_release_names_the_nearest(folders: list[Path]) -> None:
    with pytest.raises(NotFound, match="did you mean 'wine-quality'"):
        load_recipe("wine-qualty", folders)


@pytest.mark.parametrize("text", ["a: [", "- a\n", "name: other\n", ""])
def test_what_is_no_recipe_is_refused_with_its_path(folders: list[Path], text: str) -> None:
    path = folders[0] / "releases" / "wine-quality.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"wine-quality\.yaml"):
        load_recipe("wine-quality", folders)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metirc": "mae"}, "unknown field 'metirc', did you mean 'metric'"),
        ({"zzz": 1}, "unknown field 'zzz', known fields: approval"),
        ({"margin": -1}, "margin: .*greater than or equal to 0"),
        ({"budgets": {"latency_s": 1}}, r"unknown field 'budgets\.latency_s', did you mean 'budgets\.latency_ms'\?$"),
        ({"schedule": "nightly"}, "five fields"),
        ({"name": "Wine Quality"}, "name: "),
        ({"approval": "maybe"}, "'auto' or 'ask'"),
    ],
)
def test_a_mistake_names_the_field(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parsed(Strict, GOOD | change, "The recipe of wine")


def test_a_missing_field_is_named() -> None:
    with pytest.raises(BadInput, match=r"target: Field required"):
        parsed(Strict, {key: value for key, value in GOOD.items() if key != "target"}, "The recipe of wine")


def test_the_fields_of_a_kind_pass_the_base() -> None:
    assert Recipe.model_validate(GOOD).model_extra == {"target": "quality"}
