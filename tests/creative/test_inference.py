"""What `penstock new creative` makes of a user's own table of texts, and what it says about it."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.creative.inference import infer
from tasks.creative.specs import CreativeRecipe
from tasks.errors import BadInput
from tasks.sources.products import COLUMNS, products
from tasks.tables.inference import Proposal

MESSAGES = [[("ham", "spam")[number % 3 == 0], f"Message {number} about a thing"] for number in range(120)]


def proposed(folder: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]], target: str) -> Proposal:
    path = folder / "mine.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return infer(path, "mine", target)


def test_a_label_is_learned_from_the_free_text(tmp_path: Path) -> None:
    found = proposed(tmp_path, ("label", "text"), MESSAGES, "label")
    recipe = CreativeRecipe.model_validate(found.recipe | {"name": "mine"})
    assert (recipe.texts, recipe.label, recipe.rating, recipe.facts) == (("text",), "label", None, {})
    assert recipe.positive in ("ham", "spam")
    assert any("nothing is drafted" in line for line in found.assumptions)
    assert sum("label" in line and "positive" in line for line in found.assumptions) == 1


def test_a_rating_is_good_from_a_threshold_on_and_drafts_know_their_facts(tmp_path: Path) -> None:
    found = proposed(tmp_path, COLUMNS, [[*one.record().values()] for one in products(200)], "rating")
    recipe = CreativeRecipe.model_validate(found.recipe | {"name": "mine"})
    assert (recipe.rating, recipe.label, recipe.threshold) == ("rating", None, 3.5)
    assert "description" in recipe.texts and "rating" not in recipe.texts and "id" not in recipe.texts
    assert recipe.facts == {"title": "title", "category": "category", "description": "description", "price": "price"}
    assert any("good from 3.5 on" in line for line in found.assumptions)


@pytest.mark.parametrize(
    ("columns", "rows", "told"),
    [
        (("label", "size"), [["ab"[number % 2], number % 7] for number in range(60)], "no column of free text"),
        (
            ("label", "text"),
            [["abc"[number % 3], f"Text {number} of it"] for number in range(60)],
            "more than two values",
        ),
        (("label", "text"), MESSAGES[:1], "has 1 rows; at least 50"),
    ],
)
def test_what_cannot_be_learned_is_told(tmp_path: Path, columns: Any, rows: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        proposed(tmp_path, columns, rows, "label")
