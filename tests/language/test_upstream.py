"""The engine elsewhere against a real HTTP server."""

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tasks.errors import BadInput, Unavailable
from tasks.language.engines import Busy, Closed, Declined, End, Late, written
from tasks.language.sampling import Sampling
from tasks.language.upstream import Upstream
from tests.bentos.test_follow import until
from tests.language.openai_server import Told, running
from tests.language.tiny import asked


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with running() as told:
        monkeypatch.setenv("OPENAI_BASE_URL", told.base_url)
        yield told


def test_a_conversation_is_passed_on(server: Told) -> None:
    how = Sampling(9, temperature=0.5, seed=3, choice=1, stop=("x",), repetition_penalty=1.1)
    with closing(Upstream("tuned", 5, 2)) as engine:
        *pieces, end = written(engine, asked("When?"), how)
    assert "".join(piece.text for piece in pieces) == "The library opens at ten."
    assert end == End("", 7, 11, "stop", None)
    (sent,) = server.asked
    assert sent["messages"] == [{"role": "user", "content": "When?"}]
    assert {name: sent[name] for name in ("model", "max_tokens", "temperature", "seed", "stop")} == {
        "model": "tuned", "max_tokens": 9, "temperature": 0.5, "seed": 4, "stop": ["x"]
    }  # fmt: skip
    assert sent["repetition_penalty"] == 1.1 and "no_repeat_ngram_size" not in sent


def test_bare_text_is_passed_on(server: Told) -> None:
    server.finish = "length"
    with closing(Upstream("tuned", 5, 2)) as engine:
        *_, end = written(engine, "The library", Sampling(9))
    assert isinstance(end, End) and end.finish == "length"
    assert server.asked[0]["prompt"] == "The library"


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (400, Declined, "refused with 400"),
        (429, Busy, "too much"),
        (500, Unavailable, "500"),
        (401, Unavailable, "401"),
    ],
)
def test_a_server_in_trouble_is_told(server: Told, status: int, kind: type[Exception], said: str) -> None:
    server.status = status
    with closing(Upstream("tuned", 5, 2)) as engine, pytest.raises(kind, match=said):
        list(written(engine, asked("When?"), Sampling(9)))
    assert len(server.asked) == 1


def test_a_silent_server_is_late_and_a_cut_stream_is_an_error(server: Told) -> None:
    server.finish = None
    with closing(Upstream("tuned", 5, 2)) as engine, pytest.raises(Unavailable, match="broke off"):
        list(written(engine, asked("When?"), Sampling(9)))
    server.pause_s = 2
    with closing(Upstream("tuned", 0.2, 2)) as engine, pytest.raises(Late, match="in time"):
        list(written(engine, asked("When?"), Sampling(9)))


def test_whoever_leaves_frees_the_place_at_once(server: Told) -> None:
    server.pause_s, server.pieces = 0.05, ["a "] * 200
    with closing(Upstream("tuned", 30, 1)) as engine:
        first = written(engine, asked("When?"), Sampling(9))
        assert next(first).text == "a "
        waiting = engine.start(engine.read("b", 9), Sampling(9), lambda _piece: None)
        assert engine.waiting == 1
        waiting()
        first.close()  # type: ignore[attr-defined]
        assert server.left.wait(5)
        assert engine.waiting == 0
        server.pause_s = 0
        assert [piece.text for piece in written(engine, asked("When?"), Sampling(9))][-1] == ""


def test_a_closed_engine_ends_its_answers(server: Told) -> None:
    server.pause_s, server.pieces = 0.05, ["a "] * 200
    engine = Upstream("tuned", 30, 1)
    running: list[Any] = []
    waiting: list[Any] = []
    left: list[Any] = []
    engine.start(engine.read("b", 9), Sampling(9), running.append)
    until(lambda: running, 5)
    engine.start(engine.read("b", 9), Sampling(9), waiting.append)
    engine.start(engine.read("b", 9), Sampling(9), left.append)()
    engine.close()
    engine.close()
    assert isinstance(running[-1], Closed) and [type(one) for one in waiting] == [Closed] and left == []
    with pytest.raises(Closed):
        list(written(engine, asked("When?"), Sampling(9)))
    assert server.left.wait(5)
    until(lambda: "penstock-upstream" not in {one.name for one in threading.enumerate()}, 5)


@pytest.mark.parametrize("status", [500, 0])
def test_the_servers_address_is_for_the_log_alone(
    server: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.WARNING, logger="penstock")
    server.status = status or 500
    url = server.base_url if status else "http://127.0.0.1:9/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", url.replace("://", "://me:secret@"))
    with closing(Upstream("tuned", 5, 2)) as engine, pytest.raises(Unavailable) as caught:
        list(written(engine, asked("When?"), Sampling(9)))
    assert "The model tuned" in str(caught.value) and "127.0.0.1" not in str(caught.value)
    assert "127.0.0.1" in caplog.text and "secret" not in caplog.text + str(caught.value)


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="PENSTOCK_UPSTREAM_MODEL"):
        Upstream(None, 5, 2)
    with pytest.raises(BadInput, match="OPENAI_API_KEY"):
        Upstream("tuned", 5, 2)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with closing(Upstream("tuned", 5, 2)) as engine, pytest.raises(Unavailable, match="OPENAI_BASE_URL"):
        list(written(engine, asked("When?"), Sampling(9)))
