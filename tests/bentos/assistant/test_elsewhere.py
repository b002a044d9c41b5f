"""A release answered by a server elsewhere: the same API, limits and log, its troubles under fitting statuses."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tasks.watching.log import folder, read_all
from tests.bentos.assistant.conftest import Served, Start
from tests.bentos.assistant.test_running import hang_up
from tests.bentos.test_follow import until
from tests.language.openai_server import Told, running


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    with running() as told:
        for name, value in {"ENGINE": "openai", "UPSTREAM_MODEL": "tuned", "GENERATION_TIMEOUT": "1"}.items():
            monkeypatch.setenv(f"PENSTOCK_{name}", value)
        monkeypatch.setenv("OPENAI_BASE_URL", told.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield told


@pytest.fixture
def service(start: Start, server: Told, data_root: Path, shipped: Path) -> Served:
    return start()


def test_it_answers_as_told_and_logs(service: Served, server: Told, data_root: Path) -> None:
    answer = service.create()
    assert answer.choices[0].message.content == "The library opens at ten."
    assert answer.usage.total_tokens == 18
    chunks = list(service.create(stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.completion_tokens == 7
    assert [one.id for one in service.client.models.list().data] == ["course-chat"]
    first, _ = read_all(folder(data_root, "course-chat"))
    assert first.features is not None and first.features["completion_tokens"] == 7


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError)],
)
def test_its_troubles_have_fitting_statuses(service: Served, server: Told, status: int, kind: type[Exception]) -> None:
    server.status = status
    for stream in (False, True):
        with pytest.raises(kind):
            service.create(stream=stream)
    told = service.get("/ready").json()
    assert told["status"] == ("degraded" if status == 500 else "ready")
    server.status = 200
    service.create()
    assert service.get("/ready").json()["status"] == "ready"


def test_its_address_is_not_for_clients(service: Served, server: Told) -> None:
    server.status = 500
    with pytest.raises(openai.InternalServerError) as caught:
        service.create()
    told = str(caught.value) + service.get("/ready").text
    assert told.count("The model tuned answered 500") == 2 and server.url not in told


def test_a_stream_that_breaks_off_is_an_event(service: Served, server: Told) -> None:
    server.finish = None
    with pytest.raises(openai.APIError, match="broke off") as caught:
        list(service.create(stream=True))
    assert caught.value.code == "not_ready"
    with pytest.raises(openai.InternalServerError):
        service.create()


def test_a_silent_server_is_a_504(service: Served, server: Told) -> None:
    server.pause_s = 3
    with pytest.raises(openai.InternalServerError) as caught:
        service.create()
    assert caught.value.status_code == 504


def test_hanging_up_reaches_the_server(service: Served, server: Told) -> None:
    server.pause_s, server.pieces = 0.05, ["a "] * 100
    hang_up(service, {"model": "course-chat", "messages": [{"role": "user", "content": "a"}], "stream": True}, read=300)
    assert server.left.wait(5)
    until(lambda: service.metric("penstock_requests_in_flight") == 0, 5)
