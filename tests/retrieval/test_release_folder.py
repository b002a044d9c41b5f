import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tasks.artifacts import Artifact, current, file_sha256
from tasks.registry.golden import disagreements
from tasks.retrieval.answers import Ask
from tasks.retrieval.evaluation import Evaluation, evaluate
from tasks.retrieval.judges import Judged
from tasks.retrieval.release_folder import EXTRACTIVE, Made, assemble
from tasks.retrieval.search import keep_cross_encoder
from tasks.retrieval.served import Served, read_release
from tasks.retrieval.specs import AnswerOptions, SearchOptions
from tests.retrieval.library import Library
from tests.retrieval.test_search import write_counter


@pytest.fixture
def evaluation(library: Library) -> Evaluation:
    return evaluate(library.index, library.weights, library.questions, SearchOptions(), AnswerOptions())


def made(library: Library, **own: Any) -> Made:
    parts = {"index": library.index, "weights": library.weights, "chunks": library.chunks}
    return Made.model_validate({"release": "library", "key": "abc", "inputs": {"snapshot": 1}, **parts, **own})


def record_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "release.json").read_bytes()))


def test_the_folder_is_small_whole_and_answers_as_it_says(library: Library, evaluation: Evaluation) -> None:
    artifact = assemble(made(library), evaluation, library.questions)
    assert artifact == assemble(made(library), evaluation, library.questions)
    folder = current().path(artifact)
    record = record_of(folder)
    assert {path.name for path in folder.iterdir()} == {"release.json", "prompt.json"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 40_000
    assert record["files"] == {"prompt.json": file_sha256(folder / "prompt.json")}
    assert Artifact.model_validate(record["index"]) == library.index and record["pages"] is None
    assert record["threshold"] == evaluation.threshold and record["threshold_fitted"]
    assert record["judge"] == EXTRACTIVE and record["output_schema"] == "documents/1"
    assert record["metrics"]["ndcg@10"] == evaluation.metrics["ndcg@10"].model_dump()
    cases = record["golden"]
    assert len(cases) == 6 and [case["answer"]["answered"] for case in cases].count(False) >= 1
    assert cases[0]["answer"]["documents"] == ["opening.md"]
    served = Served.load(folder, current().path)
    assert disagreements(cases, served.answer) == []
    wrong = [{**cases[0], "answer": {"answered": True, "documents": ["rooms.md"]}}]
    assert len(disagreements(wrong, served.answer)) == 1
    served.close()


def test_prompt_and_cross_encoder_travel_with_the_release(
    library: Library, evaluation: Evaluation, tmp_path: Path, tiny_folder: Path
) -> None:
    write_counter(tmp_path / "cross", tiny_folder)
    rerank = keep_cross_encoder(str(tmp_path / "cross"))
    shutil.rmtree(tmp_path / "cross")
    answers = AnswerOptions.model_validate({"prompt": {"refusal": "Ask the desk."}})
    own = made(library, rerank=rerank, answers=answers)
    folder = current().path(assemble(own, evaluation, library.questions))
    record = record_of(folder)
    assert record["prompt"]["refusal"] == "Ask the desk." and "prompt" not in record["answers"]
    assert Artifact.model_validate(record["rerank"]) == rerank and read_release(folder).answers == answers
    with closing(Served.load(folder, current().path)) as served:
        assert served.answerer.searcher.rereads
        assert served.ask(Ask(question="How many moons has Neptune?")).answer == "Ask the desk."


def test_a_judge_is_named_with_its_scores(library: Library, evaluation: Evaluation) -> None:
    said = {"faithfulness": evaluation.metrics["recall@1"]}
    judged = Judged(by="judge-x through MLflow", cases=9, metrics=said, scores=evaluation.scores)
    record = record_of(current().path(assemble(made(library), evaluation, library.questions, judged)))
    assert record["judge"] == "judge-x through MLflow" and "faithfulness" in record["metrics"]
