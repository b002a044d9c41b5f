"""What a recipe of an assistant may say, and what is chosen where it says nothing."""

from typing import Any

import pytest

from tasks.errors import BadInput
from tasks.language.options import LoraOptions
from tasks.language.specs import HIGH, LOW, AssistantRecipe
from tasks.registry.recipes import load_recipe, parsed
from tests.language.room import ROOT

LEAST = {"name": "chat", "kind": "assistant", "dataset": "mine"}
MB = 1 << 20


def recipe(**more: Any) -> AssistantRecipe:
    return parsed(AssistantRecipe, LEAST | more, "chat.yaml")


def test_three_fields_are_enough() -> None:
    found = recipe()
    assert (found.base, found.metric, found.judged, found.measure) == ("smollm2", "perplexity", 400, True)
    assert found.lora == LoraOptions() and "apache-2.0" in found.licences


def test_the_recipe_in_the_box_is_one() -> None:
    found = parsed(AssistantRecipe, load_recipe("course-chat", [ROOT / "data"]), "course-chat")
    assert found.base == "tiny" and found.floors.keys() <= {*HIGH, *LOW}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"floors": {"exact": 0.5}}, "no metric exact; floors take exact_match, f1"),
        ({"floors": {"f1": 0.5, "speed": 1, "bleus": 0}}, "no metric bleus, speed"),
        ({"slices": ["school"]}, "an assistant has no slices"),
        ({"slice_floors": {"f1": 0.4}}, "no slices|slice_floors"),
        ({"revision": "main"}, "revision"),
        ({"revision": "A" * 40}, "revision"),
        ({"metric": "bleu"}, "metric"),
        ({"lora": {"rank": 0}}, "rank"),
        ({"lora": {"alfa": 8}}, "alpha"),
        ({"examples": {"wordings": 5}}, "wordings"),
        ({"budgets": {"tokens": 5}}, "tokens_per_s"),
        ({"bases": "tiny"}, "base"),
    ],
)
def test_what_means_nothing_is_told_before_anything_is_trained(more: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        recipe(**more)


def test_every_known_metric_may_be_a_floor_and_a_commit_a_revision() -> None:
    floors = dict.fromkeys((*HIGH, *LOW), 0.5)
    assert recipe(floors=floors).floors == floors
    assert recipe(base="some/model", revision="0123456789abcdef" * 2 + "01234567").revision


def test_what_is_left_open_is_chosen_by_the_size_of_the_base() -> None:
    small, large = (LoraOptions().settled(size) for size in (8 * MB - 1, 8 * MB))
    assert (small.rate, small.epochs, small.batch, small.alpha) == (3e-3, 10, 16, 32)
    assert (large.rate, large.epochs, large.batch, large.alpha) == (1e-3, 3, 8, 32)


def test_what_is_stated_stays() -> None:
    stated = LoraOptions(rank=4, alpha=5, rate=0.1, epochs=2, batch=3)
    assert stated.settled(1) == stated.settled(1000 * MB) == stated
    half = LoraOptions(rank=4, rate=0.1).settled(1)
    assert (half.alpha, half.rate, half.epochs, half.batch) == (8, 0.1, 10, 16)
