"""A service at work: versions swapped under load, streams that break, and traces in a real MLflow."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.handle import load, read_release
from bentos.kit.pieces import place
from bentos.kit.traces import Traces
from bentos.rag.model import Rag, load_rag
from tasks.artifacts import Artifact
from tasks.errors import BadInput, NotFound, Unavailable
from tasks.retrieval.answers import Answer, Ask
from tasks.watching.assessments import trace_number
from tests.bentos.rag.conftest import QUESTION, Open, events, refused, write_rag
from tests.bentos.test_follow import until


def loaded(folder: Path) -> Rag:
    return load_rag(folder, read_release(folder)[0])


def test_a_retired_version_closes_after_its_last_answer(release: Path) -> None:
    model = loaded(release)
    stream = model.stream(Ask(question=QUESTION))
    assert isinstance(next(stream), str)
    model.close()
    (*_, last) = stream  # the index is still open: the answer is written to its end
    assert isinstance(last, Answer) and last.answered
    with pytest.raises(Exception, match=r"(?i)closed|shard"):
        model.ask(Ask(question=QUESTION))


def test_versions_are_swapped_without_a_failed_answer(
    library: Open, data_root: Path, tmp_path: Path, weights_folder: Path
) -> None:
    service = library()
    old = service.desk.serving()
    new = write_rag(tmp_path / "new", data_root / "store", weights_folder, version=2)

    async def swapped() -> list[httpx.Response]:
        http = service.client.http
        asking = [asyncio.create_task(http.post("/v1/ask", json={"question": QUESTION})) for _ in range(32)]
        await asyncio.sleep(0.05)
        service.desk.swap(await asyncio.to_thread(load, new, "2", load_rag))
        asking += [asyncio.create_task(http.post("/v1/ask", json={"question": QUESTION})) for _ in range(8)]
        return await asyncio.gather(*asking)

    answers = service.client.run(swapped())
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["version"] for answer in answers[32:]} == {"2"}
    until(lambda: old.retired and not old.users, 5)


def test_a_missing_piece_is_a_reason_and_not_a_crash(library: Open, data_root: Path) -> None:
    for path in (data_root / "store/chunks").rglob("*.jsonl"):
        path.unlink()
    service = library()
    refused(service.ask(), 503)
    told = service.client.get("/ready").json()["reasons"]
    assert "PENSTOCK_ARTIFACTS" in told[0]["message"]


def test_what_breaks_in_a_stream_is_an_event(broken: Any) -> None:
    service, told = broken
    told.pieces = ["The library ", Unavailable("The model is gone.")]
    found = events(service.ask(stream=True).text)
    assert [name for name, _ in found] == ["delta", "error"]
    error = found[-1][1]["error"]
    assert (error["status"], error["message"], error["path"]) == (503, "The model is gone.", "/v1/ask")
    told.pieces = ["The library ", "opens. ", RuntimeError("secret inside")]
    found = events(service.ask(stream=True).text)
    assert found[-1][1]["error"]["status"] == 500 and "secret" not in str(found)
    told.pieces = [Unavailable("The model is gone.")]
    refused(service.ask(stream=True), 503)
    refused(service.ask(), 503)


def test_a_stream_may_last_while_it_goes_on_and_not_when_it_stands(broken: Any) -> None:
    service, told = broken
    told.pieces = [one for word in ("one ", "two ", "three ", "four ") for one in (0.3, word)]
    found = events(service.ask(stream=True).text)  # twice as long as a request may take
    assert found[-1][0] == "done" and found[-1][1]["answer"] == "one two three four"
    refused(service.ask(), 504)
    told.pieces = ["one ", "two ", 1.0, "three"]
    found = events(service.ask(stream=True).text)
    assert (found[-1][0], found[-1][1]["error"]["status"]) == ("error", 504)


def test_the_queue_is_bounded(broken: Any) -> None:
    service, told = broken
    told.pieces = [0.2, "late"]
    service.desk.config = type(service.desk.config)(
        **(vars(service.desk.config) | {"max_concurrency": 2, "max_queue": 2})
    )

    async def many() -> list[httpx.Response]:
        body = {"question": QUESTION}
        return await asyncio.gather(*(service.client.http.post("/v1/ask", json=body) for _ in range(12)))

    statuses = [answer.status_code for answer in service.client.run(many())]
    assert statuses.count(200) == 4 and statuses.count(429) == 8


def test_a_page_that_was_not_rendered_is_told(release: Path) -> None:
    model = loaded(release)
    with pytest.raises(NotFound, match="only cited pages"):
        model.image("guide.pdf", 7)
    model.close()


@pytest.mark.timeout(180)
def test_a_traced_question_and_its_feedback_are_in_mlflow(library: Open, mlflow_url: str) -> None:
    service = library(mlflow_url=mlflow_url, trace_share=1.0, log_text=True)
    number = service.ask().json()["request_id"]
    service.client.post("/feedback", json={"request_id": number, "rating": 1, "comment": "right"})
    place = f"{mlflow_url}/api/3.0/mlflow/traces/tr-{trace_number('', number):032x}"
    told: dict[str, Any] = {}

    def there() -> bool:
        answer = httpx.get(place, trust_env=False)
        told.update(answer.json().get("trace", {}).get("trace_info", {}) if answer.is_success else {})
        return bool(told.get("assessments"))

    until(there, 30)
    (assessment,) = told["assessments"]
    assert (assessment["assessment_name"], assessment["feedback"]["value"]) == ("user_rating", True)
    assert QUESTION in told["request_preview"]
    found = httpx.get(
        f"{mlflow_url}/ajax-api/3.0/mlflow/traces/get?trace_id=tr-{trace_number('', number):032x}", trust_env=False
    ).json()["trace"]["spans"]
    assert {span["name"] for span in found} == {"ask", "retrieve", "answer"}


def test_tracing_neither_fails_nor_delays_an_answer(library: Open) -> None:
    service = library(trace_share=1.0)  # MLflow is not there
    before = threading.active_count()
    assert all(service.ask().status_code == 200 for _ in range(3))
    service.client.post("/feedback", json={"request_id": "unknown", "rating": -1})
    assert threading.active_count() <= before + 5


def test_the_share_decides_by_the_request_id() -> None:
    def chosen(share: float) -> list[int]:
        traces = Traces(Desk(load_rag, Config(trace_share=share)))
        return [number for number in range(5000) if traces.chosen("acme", f"request-{number}")]

    assert 400 < len(chosen(0.1)) < 600
    assert chosen(0.1) == chosen(0.1)
    assert (len(chosen(0.0)), len(chosen(1.0))) == (0, 5000)


def test_a_request_id_of_another_tenant_names_another_trace() -> None:
    assert len({trace_number(tenant, number) for tenant in ("", "acme", "beta") for number in ("1", "acme1")}) == 6


def test_a_stop_that_waits_for_a_server_stops_no_answer(library: Open) -> None:
    service = library()
    service.desk.ends.append(lambda: time.sleep(0.5))

    async def stopped() -> int:
        stopping = asyncio.create_task(service.client.lifecycle.stop())
        answered = 0
        while not stopping.done():
            answered += (await service.client.http.get("/health")).status_code == 200
            await asyncio.sleep(0.02)
        service.desk.ends.clear()
        return answered

    assert service.client.run(stopped()) > 5


@pytest.mark.parametrize("digest", ["../release.json", "/etc/passwd", "", "..", "a/../../b"])
def test_a_digest_from_a_release_leads_nowhere_else(tmp_path: Path, digest: str) -> None:
    artifact = Artifact(uri="chunks/x", digest=digest, kind="chunks", meta={})
    with pytest.raises(BadInput, match="points outside"):
        place(tmp_path, artifact)
