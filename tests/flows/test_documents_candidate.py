"""What names a version of a documents release, and what lets a plan run again."""

from pathlib import Path
from typing import Any

import pytest

from flows.documents_candidate import Index
from flows.documents_order import Papers, endpoint_of, surroundings
from flows.orders import Order, Prepared, prepare
from tasks.artifacts import Artifact, opened
from tasks.errors import BadInput
from tasks.registry.offers import subject
from tasks.registry.recipes import parsed
from tasks.retrieval.evaluation import Evaluation
from tasks.retrieval.specs import AnswerOptions, DocumentsRecipe
from tasks.settings import load
from tests.flows.papers import Shelf, golden


def recipe(**parts: Any) -> DocumentsRecipe:
    return parsed(DocumentsRecipe, {"name": "papers", "kind": "documents", "dataset": "papers", **parts}, "The recipe")


def artifact(digest: str) -> Artifact:
    return Artifact(uri=f"indexes/{digest}", digest=digest, kind="indexes")


def offered(rerank: Artifact | None = None, **parts: Any) -> Index:
    """Only what names the version."""
    names: dict[str, Any] = dict.fromkeys(Index.__dataclass_fields__)
    prepared = Papers.model_construct(recipe=recipe(**parts))
    evaluation = Evaluation.model_construct(threshold=0.5)
    told = {"index": artifact("a"), "weights": artifact("b"), "prepared": prepared, "evaluation": evaluation}
    return Index(**(names | told | {"rerank": rerank}))


def test_another_prompt_or_cross_encoder_is_another_version() -> None:
    ways = [
        offered(),
        offered(answers={"prompt": {"refusal": "Ask the desk."}}),
        offered(answers={"prompt": {"system": "Be brief. Else say: {{refusal}}"}}),
        offered(artifact("c")),
        offered(artifact("d")),
    ]
    assert len({way.key for way in ways}) == len({way.code_digest for way in ways}) == 5
    assert offered().key == ways[0].key


def test_a_prompt_without_its_variables_is_refused() -> None:
    with pytest.raises(BadInput, match="`user` holds exactly the variables"):
        recipe(answers={"prompt": {"user": "{{question}}"}})


def test_another_language_model_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    model, none = (recipe(embedding={"dataset": None}, answers=part) for part in ({"generator": "openai"}, {}))
    before = [surroundings(one, load()) for one in (model, none)]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:secret@127.0.0.1:8000/v1")
    after = [surroundings(one, load()) for one in (model, none)]
    assert before[0] != after[0] and before[1] == after[1] and "secret" not in str(after)
    assert endpoint_of(AnswerOptions()) == ""


def test_a_mistyped_floor_is_told_with_the_recipe() -> None:
    for wrong in ({"floors": {"recal@5": 0.8}}, {"slice_floors": {"refused": 0.8}}, {"slices": ["tenant"]}):
        with pytest.raises(BadInput, match=r"no metric recal@5|no metric refused|the slice `document` only"):
            recipe(**wrong)
    assert recipe(floors={"recall@5": 0.8, "faithfulness": 0.5}, slices=["document"])


def test_canaries_are_a_rule_of_the_decision() -> None:
    with_them, without = (subject(2, 1, "papers@1", recipe(canaries=on)) for on in (True, False))
    assert with_them != without


def test_what_an_order_cannot_use_is_told_before_anything_starts(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path))
    shelf = Shelf(tmp_path, "papers", "", "")
    shelf.furnish()

    def prepared(**order: Any) -> Prepared:
        with opened(data_root / "store"):
            return prepare(Order(release="papers", **order), load())

    prepared().check(load())
    with pytest.raises(BadInput, match="leave out --seed"):
        prepared(seed=1)
    with pytest.raises(BadInput, match="cross-encoder nowhere of papers is no folder"):
        prepared(set=["search.rerank=nowhere"])
    shelf.ask(golden() + golden()[:1])
    with pytest.raises(BadInput, match="several questions with the id q00"):
        prepared().check(load())
