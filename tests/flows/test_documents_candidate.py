"""What names a version of a documents release, and what lets a plan run again."""

from typing import Any

import pytest

from flows.documents_candidate import Offered
from flows.orders import Papers, endpoint_of, surroundings
from tasks.artifacts import Artifact
from tasks.errors import BadInput
from tasks.registry.recipes import parsed
from tasks.retrieval.evaluation import Evaluation
from tasks.retrieval.specs import AnswerOptions, DocumentsRecipe
from tasks.settings import load


def recipe(**parts: Any) -> DocumentsRecipe:
    return parsed(DocumentsRecipe, {"name": "papers", "kind": "documents", "dataset": "papers", **parts}, "The recipe")


def artifact(digest: str) -> Artifact:
    return Artifact(uri=f"indexes/{digest}", digest=digest, kind="indexes")


def offered(rerank: Artifact | None = None, **parts: Any) -> Offered:
    """Only what names the version."""
    names: dict[str, Any] = dict.fromkeys(Offered.__dataclass_fields__)
    prepared = Papers.model_construct(recipe=recipe(**parts))
    evaluation = Evaluation.model_construct(threshold=0.5)
    told = {"index": artifact("a"), "weights": artifact("b"), "prepared": prepared, "evaluation": evaluation}
    return Offered(**(names | told | {"rerank": rerank}))


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
