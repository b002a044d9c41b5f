from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.registry.gate import BASELINE, Check, Evidence, decide
from tasks.retrieval.building import build
from tasks.retrieval.evaluation import Evaluation, evaluate, evaluate_release
from tasks.retrieval.evidence import Side, gather
from tasks.retrieval.golden import settle
from tasks.retrieval.release_folder import Made, assemble
from tasks.retrieval.specs import AnswerOptions, DocumentsRecipe, SearchOptions
from tests.retrieval.library import QUESTIONS, Library, chunks_of_words, indexed

FLOORS = {"ndcg@10": 0.7, "recall@10": 0.9}


def recipe(**own: Any) -> DocumentsRecipe:
    return DocumentsRecipe.model_validate(
        {"name": "library", "kind": "documents", "dataset": "papers", "floors": FLOORS, **own}
    )


@cache
def evaluated(index: str, weights: str, questions: str) -> Evaluation:
    """Arguments as JSON, since evaluations are equal for equal artifacts and take seconds."""
    parts = [Artifact.model_validate_json(text) for text in (index, weights, questions)]
    return evaluate(*parts, SearchOptions(), AnswerOptions())


def scored(library: Library, questions: Artifact) -> Evaluation:
    return evaluated(*(part.model_dump_json() for part in (library.index, library.weights, questions)))


def released(library: Library) -> Artifact:
    made = Made(release="library", key="k", index=library.index, weights=library.weights, chunks=library.chunks)
    return assemble(made, scored(library, library.questions), library.questions)


def against(champion: Library, candidate: Library, **own: Any) -> Evidence:
    """A candidate beside a champion, both asked what the candidate's corpus can be asked."""
    theirs = evaluate_release(released(champion), candidate.questions)
    opponent = Side(version="champion v1", scores=theirs.scores)
    evidence = gather(
        recipe(**own),
        "papers@2",
        Side(version="2", scores=scored(candidate, candidate.questions).scores),
        opponent,
        released(candidate),
        [opponent],
    )
    return evidence.model_copy(update={"data_changed": True})


def first(library: Library, **own: Any) -> Evidence:
    scores = scored(library, library.questions).scores
    side, baseline = Side(version="1", scores=scores), Side(version=BASELINE)
    return gather(recipe(**own), "papers@1", side, baseline, released(library))


def shuffled(library: Library) -> Library:
    """The index with vectors of other chunks beside the words, which still find something."""
    rows = np.load(current().path(library.vectors.artifact), allow_pickle=False)
    written = BytesIO()
    np.save(written, rows[np.random.default_rng(0).permutation(len(rows))])
    moved = current().put_bytes("vectors", written.getvalue(), ".npy")
    return replace(library, index=build(library.chunks, library.vectors.model_copy(update={"artifact": moved})))


def test_a_first_index_stands_beside_one_that_finds_nothing(library: Library) -> None:
    evidence = first(library)
    decision = decide(evidence, recipe())
    assert decision.promote and decision.verdict == "better", decision.failed
    assert evidence.rows == 20 and evidence.opponent_metrics["ndcg@10"].high == 0
    assert evidence.difference == evidence.candidate_metrics["ndcg@10"]


def test_an_index_beside_itself_is_not_worse_and_differs_by_nothing(library: Library) -> None:
    evidence = against(library, library)
    decision = decide(evidence, recipe())
    assert (evidence.difference.low, evidence.difference.high) == (0, 0)
    assert decision.verdict == "not worse" and decision.promote
    assert evidence.against_best == evidence.difference


def test_shuffled_vectors_are_worse(library: Library) -> None:
    evidence = against(library, shuffled(library))
    decision = decide(evidence, recipe())
    assert decision.verdict == "worse" and not decision.promote
    assert "comparison" in {check.name for check in decision.failed}


def test_chunks_of_a_few_words_fail(library: Library) -> None:
    """Some twenty tokens cut quotes apart, which then count as not found, and leave questions without context."""
    evidence = against(library, indexed(library.weights, chunks_of_words(15)))
    decision = decide(evidence, recipe())
    assert not decision.promote and decision.verdict == "worse"
    assert "floor ndcg@10" in {check.name for check in decision.failed}


def test_budgets_are_held_to_the_index_that_will_be_served(library: Library) -> None:
    budgets = {"latency_ms": 2000, "size_mb": 0.0001}
    evidence = first(library, budgets=budgets)
    found = {check.name: check.ok for check in evidence.checks}
    assert found["latency"] and not found["size"] and list(evidence.measured) == ["latency"]


def test_what_it_does_not_hold_must_be_refused(library: Library) -> None:
    said = AnswerOptions(threshold=0.0)
    loose = evaluate(library.index, library.weights, library.questions, SearchOptions(), said)
    args = ("papers@1", Side(version="1", scores=loose.scores), Side(version=BASELINE), released(library))
    checks = {check.name: check for check in gather(recipe(), *args).checks}
    assert not checks["wrongly answered"].ok and "100% of 6 unanswerable" in checks["wrongly answered"].text
    checks = {check.name: check for check in gather(recipe(floors={"refused": 0.5}), *args).checks}
    assert "wrongly answered" not in checks and not checks["floor refused"].ok


def test_notes_and_other_rooms_checks_are_reasons(library: Library) -> None:
    scores = scored(library, library.questions).scores
    extra = [Check(name="judge", number=None, bound="answers", ok=False, text="It was dead.")]
    evidence = gather(
        recipe(floors={"faithfulness": 0.8}),
        "papers@1",
        Side(version="1", scores=scores),
        Side(version=BASELINE),
        released(library),
        notes=["judged on proposed questions"],
        extra=extra,
    )
    decision = decide(evidence, recipe(floors={"faithfulness": 0.8}))
    assert any(reason.text == "Judged on proposed questions." for reason in decision.reasons)
    assert {check.name for check in decision.failed} == {"judge", "floor faithfulness"}


def test_documents_can_be_held_to_floors_of_their_own(library: Library) -> None:
    evidence = first(library, slices=["document"], slice_floors={"recall@10": 0.5})
    assert not [check for check in evidence.checks if check.name.startswith("slice")]  # none has five questions


def test_sides_that_were_asked_other_questions_are_refused(library: Library) -> None:
    few = settle(QUESTIONS[:10], library.chunks).artifact
    other = Side(version="champion v1", scores=scored(library, few).scores)
    ours = Side(version="2", scores=scored(library, library.questions).scores)
    with pytest.raises(BadInput, match="champion v1 was asked other questions"):
        gather(recipe(), "papers@1", ours, other, released(library))
