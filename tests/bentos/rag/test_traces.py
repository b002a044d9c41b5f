"""What a trace of a question tells, read back from a real MLflow: retrieved chunks, prompt, tokens, cost, errors."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient
from mlflow.entities import Span, TraceInfo, TraceState

from tasks.watching.assessments import trace_number
from tasks.watching.log import folder, read_all
from tests.bentos.rag.conftest import QUESTION, Library, Open, refused
from tests.bentos.test_follow import until
from tests.retrieval.answering import PROMPT, chat

pytestmark = pytest.mark.timeout(180)
PIECES = ["At ten ", "on Sunday [1]."]


@pytest.fixture
def written(
    library: Open, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlflow_url: str
) -> Iterator[Any]:
    """A traced service whose answers a language model elsewhere writes."""
    asked = tmp_path / "asked"
    shutil.copytree(release, asked)
    told = json.loads((asked / "release.json").read_text())
    told["answers"] = {"generator": "openai", "model": "gpt-4o-mini-test"}
    (asked / "release.json").write_text(json.dumps(told))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with chat(PIECES) as (url, _):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield library(folder=asked, mlflow_url=mlflow_url, trace_share=1.0, log_text=True)


def trace(mlflow_url: str, number: str) -> tuple[TraceInfo, dict[str, Span]]:
    """The trace and its spans by name, as MLflow's own client reads them."""
    name = f"tr-{trace_number('', number):032x}"
    until(lambda: httpx.get(f"{mlflow_url}/api/3.0/mlflow/traces/{name}", trust_env=False).is_success, 30)
    found = MlflowClient(mlflow_url).get_trace(name)
    return found.info, {span.name: span for span in found.data.spans}


def test_it_tells_chunks_prompt_tokens_and_cost(written: Library, mlflow_url: str, data_root: Path) -> None:
    number = written.ask().json()["request_id"]
    info, spans = trace(mlflow_url, number)
    chunks = spans["retrieve"].get_attribute("mlflow.spanOutputs")
    assert len(chunks) > 1 and "closes at noon" in chunks[0]["page_content"]
    assert chunks[0]["metadata"]["doc_uri"] == "guide.pdf"
    messages = spans["answer"].get_attribute("mlflow.spanInputs")["messages"]
    assert [one["role"] for one in messages] == ["system", "user"]
    assert QUESTION in messages[1]["content"] and "closes at noon" in messages[1]["content"]
    assert spans["answer"].get_attribute("mlflow.spanOutputs")["answer"] == "At ten on Sunday [1]."
    usage = {"input_tokens": PROMPT, "output_tokens": len(PIECES), "total_tokens": PROMPT + len(PIECES)}
    assert spans["answer"].get_attribute("mlflow.chat.tokenUsage") == usage
    expected = PROMPT * 0.15e-6 + len(PIECES) * 0.6e-6
    assert float(spans["ask"].get_attribute("penstock.cost")) == pytest.approx(expected)
    assert info.state == TraceState.OK
    assert json.loads(info.trace_metadata["mlflow.trace.tokenUsage"]) == usage
    assert json.loads(info.trace_metadata["mlflow.trace.cost"])["total_cost"] == pytest.approx(expected)
    (record,) = read_all(folder(data_root, "library"))
    assert record.features is not None and record.features["llm"] == "gpt-4o-mini-test"
    assert (record.features["prompt_tokens"], record.features["completion_tokens"]) == (PROMPT, len(PIECES))
    assert record.output["read"] == [one["id"] for one in chunks]


def test_without_leave_it_holds_no_text(library: Open, mlflow_url: str, data_root: Path) -> None:
    service = library(mlflow_url=mlflow_url, trace_share=1.0)
    number = service.ask().json()["request_id"]
    _, spans = trace(mlflow_url, number)
    told = json.dumps([span.to_dict() for span in spans.values()])
    assert "guide.pdf" in told and "closes at noon" not in told and "Sunday" not in told
    assert {one["page_content"] for one in spans["retrieve"].get_attribute("mlflow.spanOutputs")} == {""}
    assert float(spans["ask"].get_attribute("penstock.cost")) > 0  # the time of our own processors
    (record,) = read_all(folder(data_root, "library"))
    assert record.features is not None and record.features["llm"] is None and "read" not in record.output


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_that_failed_is_traced_with_its_error(
    written: Library, mlflow_url: str, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    with chat([], status=500) as (url, _):
        generator = written.desk.serving().model.served.generator
        generator._client = generator._client.with_options(base_url=url)
        refused(written.ask(stream=stream, headers={"X-Request-ID": f"failed-{stream}"}), 503)
    info, spans = trace(mlflow_url, f"failed-{stream}")
    assert info.state == TraceState.ERROR and list(spans) == ["ask"]
    assert spans["ask"].status.description.startswith("503 The model gpt-4o-mini-test")
    assert written.desk.serving().version in spans["ask"].get_attribute("penstock.version")


def test_a_table_of_prices_that_is_none_stops_no_answer(
    library: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.yaml").write_text("currency: EUR\n")
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path))
    service = library(trace_share=1.0)
    assert service.ask().status_code == 200
    assert "prices.yaml" in service.client.get("/ready").text
