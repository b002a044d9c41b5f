"""A judge behind a real server reads logged answers; what cannot be judged is counted, and why."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.artifacts import Store
from tasks.errors import NotFound, Unavailable
from tasks.registry import records
from tasks.registry.records import VersionRecord
from tasks.registry.rest import Mlflow
from tasks.retrieval.judges import Judge
from tasks.statistics import wilson
from tasks.watching.assessments import trace_number
from tasks.watching.faithfulness import NAME, Faithfulness, Judgement, faithfulness, tell_traces, texts_in
from tasks.watching.log import Record
from tests.retrieval.judge_server import running
from tests.retrieval.pieces import chunk, put_chunks
from tests.retrieval.test_judges import QUOTE, point

TEXTS = {"fines": QUOTE, "garden": "The garden has a pond."}
BY = Judge(model="strict")


def answer(number: int, text: str = "It costs two euros a day.", version: str = "1", **more: Any) -> Record:
    output = {"answered": True, "asked": f"Late {number}?", "answer": text, "read": ["fines", "garden"]}
    return Record("prediction", f"q{number}", "rules", version, output=output | more)


def texts(version: str) -> Mapping[str, str]:
    if version != "1":
        raise NotFound("gone")
    return TEXTS


def strict(message: str) -> str:
    if "Late 5?" in message:
        return "no idea"
    return json.dumps({"rationale": "as it is", "result": "no" if "<answer>A lie" in message else "yes"})


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Any:
    with running(strict) as url:
        point(monkeypatch, url)
        yield url


def test_the_share_of_faithful_answers_and_what_was_left_out(judge: Any) -> None:
    log = [answer(number, "A lie." if number < 2 else "It costs two euros a day.") for number in range(5)]
    log += [answer(5), answer(6, version="2"), answer(7, read=["forgotten"])]
    log += [Record("prediction", "q8", "rules", "1", output={"answered": True, "documents": []})]
    log += [Record("prediction", "q9", "rules", "1", output={"answered": False})]
    log += [Record("feedback", "q0", "rules", "1", rating=1)]
    found = faithfulness(log, texts, BY)
    assert found.score == wilson(3, 5) and found.by == "strict"
    assert {one.request_id for one in found.judged if not one.faithful} == {"q0", "q1"}
    assert found.left_out == {
        "the judge gave no verdict": 1,
        "the passages that it was written from are gone": 2,
        "its text is not in the log": 1,
    }


def test_a_sample_is_the_same_in_any_order(judge: Any) -> None:
    log = [answer(number) for number in range(10, 60)]
    first, second = faithfulness(log, texts, BY, most=4), faithfulness(log[::-1], texts, BY, most=4)
    assert first == second and len(first.judged) == 4


def test_nothing_to_judge_asks_nobody() -> None:
    found = faithfulness([], texts, BY)
    assert (found.score, found.judged, found.left_out) == (None, (), {})


def test_a_judge_out_of_reach_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, "http://127.0.0.1:9/v1")
    with pytest.raises(Unavailable, match="cannot be reached"):
        faithfulness([answer(1)], texts, BY)


def test_the_texts_are_those_of_the_version(store: Store, tmp_path: Path) -> None:
    chunks = put_chunks([chunk("rules.md", 0, QUOTE)])
    aside = tmp_path / "aside"
    aside.mkdir()
    (aside / "release.json").write_text(json.dumps({"chunks": chunks.model_dump()}))
    made = store.put_folder("releases", aside)
    told = VersionRecord(version=1, key="k", run_id="r", created="2026", release_digest="d", folder=made)
    records.keep(store, "rules", told)
    find = texts_in(store, "rules")
    assert list(find("1").values()) == [QUOTE]
    for version in ("2", "local-abc"):
        with pytest.raises(NotFound):
            find(version)


@pytest.mark.timeout(180)
def test_a_verdict_is_attached_to_its_trace(mlflow_url: str) -> None:
    found = Faithfulness(
        by="strict",
        score=None,
        judged=tuple(
            Judgement(tenant="acme", request_id=number, version="1", faithful=number == "traced")
            for number in ("traced", "not traced")
        ),
        left_out={},
    )
    name = f"tr-{trace_number('acme', 'traced'):032x}"
    start(mlflow_url, name)
    with Mlflow(mlflow_url) as mlflow:
        tell_traces(mlflow, found)
    told = httpx.get(f"{mlflow_url}/api/3.0/mlflow/traces/{name}", trust_env=False).json()
    (said,) = told["trace"]["trace_info"]["assessments"]
    assert (said["assessment_name"], said["feedback"]["value"]) == (NAME, True)
    assert said["source"] == {"source_type": "LLM_JUDGE", "source_id": "strict"}


def start(mlflow_url: str, name: str) -> None:
    """A trace of this id, as MLflow's own client starts one."""
    info = {
        "trace_id": name,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
        "request_time": "2026-03-01T00:00:00Z",
        "state": "OK",
    }
    given = httpx.post(f"{mlflow_url}/api/3.0/mlflow/traces", json={"trace": {"trace_info": info}}, trust_env=False)
    given.raise_for_status()
