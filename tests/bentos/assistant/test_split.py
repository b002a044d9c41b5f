"""Two versions of an assistant side by side, and the trace of an answer that failed; a server elsewhere writes."""

import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from bentos.assistant.model import Assistant, load_assistant
from bentos.kit.handle import Handle, load
from bentos.kit.split import Split
from tasks.registry.rest import Terms
from tasks.watching.assessments import trace_number
from tasks.watching.log import folder, read_all
from tests.bentos.assistant.conftest import Served, Start
from tests.bentos.assistant.test_elsewhere import server
from tests.bentos.test_follow import until
from tests.language.openai_server import Told

__all__ = ["server"]  # fixture


def divide(service: Served, release: Path, share: float) -> Handle[Assistant]:
    handle = load(release, "2", load_assistant)
    service.desk.divide(Split(handle, Terms(against="1", share=share, until=time.time() + 600, entry="e" * 64)))
    return handle


def said(number: int) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Be short."}, {"role": "user", "content": f"Question {number}?"}]


def version(answer: Any) -> str:
    return str(answer.penstock["version"])


def test_a_conversation_stays_with_one_version(start: Start, server: Told, shipped: Path, data_root: Path) -> None:
    service = start()
    divide(service, shipped / "release", 0.5)
    first = [version(service.create(said(number))) for number in range(24)]
    assert len(set(first)) == 2
    later = [{"role": "assistant", "content": "It is."}, {"role": "user", "content": "And then?"}]
    assert [version(service.create([*said(number), *later])) for number in range(24)] == first
    assert [one.version for one in read_all(folder(data_root, "course-chat"))] == [*first, *first]
    streamed = [list(service.create(said(number), stream=True))[-1].system_fingerprint for number in range(24)]
    assert streamed == [f"v{one}" for one in first]


def test_where_the_trials_engine_is_gone_the_champion_answers(start: Start, server: Told, shipped: Path) -> None:
    service = start()
    handle = divide(service, shipped / "release", 0.999999)
    assert version(service.create()) == "2"
    handle.model.engine.close()
    assert version(service.create()) != "2"
    assert list(service.create(stream=True))[-1].system_fingerprint != "v2"
    told = service.get("/ready").json()
    assert told["status"] == "degraded" and "the trial v2 failed on 2 requests" in told["reasons"][0]["message"]


@pytest.mark.timeout(180)
def test_an_answer_that_failed_is_traced_with_its_error(start: Start, server: Told, mlflow_url: str) -> None:
    service = start(mlflow_url=mlflow_url, trace_share=1.0, log_text=True)
    server.status = 500
    with pytest.raises(openai.InternalServerError):
        service.create(extra_headers={"X-Request-ID": "failed"})
    server.status = 200
    service.create(extra_headers={"X-Request-ID": "written"})

    def info(number: str) -> Any:
        at = f"{mlflow_url}/api/3.0/mlflow/traces/tr-{trace_number('', number):032x}"
        return until(lambda: httpx.get(at, trust_env=False).json().get("trace"), 30)["trace_info"]

    assert info("failed")["state"] == "ERROR"
    written = info("written")
    assert written["state"] == "OK" and '"total_tokens": 18' in written["trace_metadata"]["mlflow.trace.tokenUsage"]
