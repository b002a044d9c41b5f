"""A service at work: clients that hang up, versions swapped mid-stream, what is missing, what is kept."""

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from bentos.assistant.model import load_assistant
from bentos.kit.handle import load
from tasks.language.engines import Cancel, Closed, Engine, Prompt, Said, Tell
from tasks.language.sampling import Sampling
from tasks.watching.assessments import trace_number
from tasks.watching.compaction import batch_of
from tasks.watching.frames import framed, shape_of
from tasks.watching.log import folder, read_all
from tests.bentos.assistant.conftest import ANSWER, ASKED, NOISE, Models, Served, Start, write_assistant
from tests.bentos.test_follow import until
from tests.bentos.test_predict import refused

LONG: dict[str, Any] = {"messages": NOISE, "model": "course-chat-base", "temperature": 2, "n": 8, "max_tokens": 220}


def request(body: dict[str, Any]) -> bytes:
    """A request as it goes over the wire."""
    data = json.dumps(body).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def hang_up(service: Served, body: dict[str, Any], read: int = 0) -> None:
    port = int(service.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(request(body))
        if read:
            line.recv(read)
        else:
            time.sleep(0.05)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_frees_its_place(service: Served, stream: bool) -> None:
    service.create(model="course-chat-base", max_tokens=1)  # loads it
    for _ in range(3):
        hang_up(service, LONG | {"stream": stream}, read=300 if stream else 0)
    started = time.monotonic()
    assert service.create(model="course-chat-base", max_tokens=4).choices
    assert time.monotonic() - started < 1.5  # the answers that nobody waits for would take thrice as long
    until(lambda: 'why="given up"' in service.get("/metrics").text, 5)
    assert service.metric("penstock_requests_in_flight") == 0


def test_who_waits_may_leave_as_well(start: Start) -> None:
    service = start(max_waiting=40)
    writing = threading.Thread(target=service.create, kwargs=LONG | {"model": "course-chat"})
    writing.start()
    hang_up(service, LONG | {"model": "course-chat"})
    until(lambda: service.desk.serving().model.engine.waiting <= 8, 2)
    writing.join()
    service.idle()


def test_a_stream_stays_with_its_version(service: Served, data_root: Path, tmp_path: Path, models: Models) -> None:
    old = service.desk.serving()
    new = write_assistant(tmp_path / "new", data_root / "store", models, key="v2")
    other = load(new, "2", load_assistant)
    stream = iter(service.create(**(LONG | {"model": "course-chat", "stream": True})))
    first = next(stream)
    service.desk.swap(other)
    assert old.users
    assert service.create().penstock["version"] == "2"
    chunks = [first, *stream]
    assert {chunk.system_fingerprint for chunk in chunks} == {f"v{old.version}"}
    assert len([chunk for chunk in chunks if chunk.choices[0].finish_reason]) == LONG["n"]
    until(lambda: old.retired and not old.users, 5)


def test_whoever_waits_for_a_closed_engine_is_told(service: Served) -> None:
    stream = iter(service.create(**(LONG | {"model": "course-chat", "stream": True})))
    next(stream)
    service.desk.serving().model.close()
    with pytest.raises(openai.APIError, match="The engine was closed"):
        list(stream)
    refused(service.post("/v1/chat/completions", json={"model": "course-chat", "messages": ASKED}), 503, "not_ready")
    assert service.get("/ready").json()["status"] == "ready"  # another version answers the next


class Second:
    """An engine that breaks at the second of several answers."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.started, self.cancelled = engine, 0, 0

    @property
    def waiting(self) -> int:
        return self.engine.waiting

    def read(self, said: Said, max_tokens: int) -> Prompt:
        return self.engine.read(said, max_tokens)

    def start(self, prompt: Prompt, sampling: Sampling, tell: Tell) -> Cancel:
        self.started += 1
        if self.started == 2:
            raise Closed
        begun = self.engine.start(prompt, sampling, tell)

        def cancel() -> None:
            self.cancelled += 1
            begun()

        return cancel

    def close(self) -> None:
        self.engine.close()


def test_where_the_second_answer_cannot_begin_the_first_is_ended(service: Served) -> None:
    served = service.desk.serving().model.served
    served.engine = engine = Second(served.engine)
    body = {"model": "course-chat", "messages": ASKED, "n": 3}
    refused(service.post("/v1/chat/completions", json=body), 503, "not_ready")
    assert (engine.started, engine.cancelled) == (2, 1)


def test_a_missing_model_is_a_reason_and_not_a_crash(start: Start, data_root: Path) -> None:
    for path in (data_root / "store" / "models").rglob("*.safetensors"):
        path.unlink()
    service = start()
    refused(service.post("/v1/chat/completions", json={"model": "course-chat", "messages": ASKED}), 503, "not_ready")
    (reason,) = service.get("/ready").json()["reasons"]
    assert "PENSTOCK_ARTIFACTS" in reason["message"] and "models/" in reason["message"]


def test_a_release_that_answers_otherwise_is_not_served(start: Start, tmp_path: Path, models: Models) -> None:
    golden = [{"request": {"messages": ASKED}, "answer": {"text": "The library is closed."}}]
    where = write_assistant(tmp_path / "spoilt", tmp_path / "var" / "store", models, golden=golden)
    service = start(folder=where)
    assert "self-test" in service.get("/ready").json()["reasons"][0]["message"]


def test_text_is_logged_only_when_told(start: Start, data_root: Path) -> None:
    service = start()
    number = service.create(extra_headers={"X-Request-ID": "asked-1"})._request_id
    list(service.create(stream=True, n=2))
    service.post("/feedback", json={"request_id": number, "rating": 1})
    plain, streamed, told = read_all(folder(data_root, "course-chat"))
    assert (plain.kind, plain.request_id, plain.inputs) == ("prediction", "asked-1", None)
    assert plain.output == {"finish_reason": ["stop"]}
    features = plain.features
    assert features is not None and features["why"] == ["eos"] and features["prompt_tokens"] > 20
    assert features["completion_tokens"] > 5 and features["first_token_ms"] > 0 and not features["streamed"]
    assert plain.latency_ms is not None and plain.latency_ms >= features["first_token_ms"]
    assert streamed.features is not None and streamed.features["streamed"] and streamed.features["choices"] == 2
    assert (told.kind, told.rating) == ("feedback", 1)
    assert "library" not in json.dumps([plain.output, plain.features, streamed.output])
    text = service.get("/metrics").text
    assert 'penstock_tokens_total{kind="completion"' in text
    assert "penstock_first_token_seconds_count 2.0" in text


def test_text_is_logged_by_setting(start: Start, data_root: Path) -> None:
    start(log_text=True).create()
    (plain,) = read_all(folder(data_root, "course-chat"))
    watched = framed(shape_of({"kind": "assistant"}), [batch_of([plain])]).read_all()
    assert watched["_text"].to_pylist() == [ASKED[-1]["content"]]
    assert [name for name in watched.column_names if watched[name].null_count] == []
    assert plain.inputs == {"messages": ASKED}
    assert plain.output == {"finish_reason": ["stop"], "text": [ANSWER]}


def test_the_page_is_there(service: Served) -> None:
    assert "text/html" in service.get("/").headers["content-type"]
    assert service.get("/session").status_code == 200


def test_what_a_challenger_says_is_private_as_well(service: Served) -> None:
    model = service.desk.serving().model
    assert model.answer({"messages": ASKED}) == {"text": ANSWER}
    assert model.answer({"messages": ASKED, "private": True}) == {"answer_chars": len(ANSWER)}


def test_tracing_neither_fails_nor_delays_an_answer(start: Start) -> None:
    service = start(trace_share=1.0)  # MLflow is not there
    assert all(service.create().choices for _ in range(3))
    assert service.post("/feedback", json={"request_id": "unknown", "rating": -1}).status_code == 200


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_traced_answer_is_in_mlflow(start: Start, mlflow_url: str) -> None:
    service = start(mlflow_url=mlflow_url, trace_share=1.0, log_text=True)
    number = service.create()._request_id
    at = f"{mlflow_url}/ajax-api/3.0/mlflow/traces/get?trace_id=tr-{trace_number('', number):032x}"
    found = until(lambda: httpx.get(at, trust_env=False).json().get("trace"), 30)
    assert {span["name"] for span in found["spans"]} == {"chat", "first token", "the rest"}
    assert ANSWER in json.dumps(found) and "output_tokens" in json.dumps(found)
