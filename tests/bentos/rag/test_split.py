"""Two indexes answer side by side: each from its own documents, and where the trial is in trouble, the champion."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bentos.kit.handle import Handle, load
from bentos.kit.split import Split
from bentos.rag.model import load_rag
from tasks.artifacts import file_sha256
from tasks.errors import Unavailable
from tasks.registry.rest import Terms
from tests.bentos.rag.conftest import LAKE, QUESTION, Library, Open, events, write_rag

Divide = Callable[..., Handle[Any]]


@pytest.fixture
def service(library: Open) -> Library:
    return library(timeout_s=3.0)


@pytest.fixture
def divide(service: Library, data_root: Path, tmp_path: Path, weights_folder: Path) -> Divide:
    """Let version 2, which knows one document more, answer the share."""
    folder = write_rag(tmp_path / "new", data_root / "store", weights_folder, version=2, extra=("lake.md", "r" * 64))

    def divided(share: float, seconds: float = 3600) -> Handle[Any]:
        handle = load(folder, "2", load_rag)
        terms = Terms(against="1", share=share, until=time.time() + seconds, entry=file_sha256(folder / "release.json"))

        async def begin() -> None:
            service.desk.divide(Split(handle, terms))

        service.client.run(begin())
        return handle

    return divided


def test_each_answers_from_its_own_index(service: Library, divide: Divide) -> None:
    champion = service.desk.serving().version
    divide(0.5)
    told = [service.ask(headers={"X-Request-ID": f"{number}"}).json() for number in range(40)]
    assert {one["version"] for one in told} == {champion, "2"}
    assert all(("Version 2" in one["citations"][0]["snippet"]) is (one["version"] == "2") for one in told)
    found = service.client.post("/v1/search", json={"query": LAKE}, headers={"X-Request-ID": "1"}).json()
    assert (found["results"][0]["document"] == "lake.md") is (found["version"] == "2")


def test_a_conversation_stays_with_one_version(service: Library, divide: Divide) -> None:
    divide(0.5)

    def asked(opening: str, **headers: str) -> set[str]:
        said: list[dict[str, str]] = [{"role": "user", "content": opening}]
        versions = set()
        for _ in range(3):
            told = service.client.post("/v1/ask", json={"messages": said}, headers=headers).json()
            versions.add(told["version"])
            said += [{"role": "assistant", "content": told["answer"]}, {"role": "user", "content": QUESTION}]
        return versions

    found = [asked(f"{QUESTION} {number}") for number in range(12)]
    assert {len(one) for one in found} == {1} and len(set.union(*found)) == 2
    one = asked("First", **{"X-Session-ID": "abc"})
    assert one == asked("Another", **{"X-Session-ID": "abc"}) and len(one) == 1


@pytest.mark.parametrize("error", [Unavailable("The model is gone."), RuntimeError("inside")])
def test_the_champion_answers_where_the_trial_is_in_trouble(service: Library, divide: Divide, error: Exception) -> None:
    champion, handle = service.desk.serving().version, divide(0.999999)
    answerer = handle.model.served.answerer
    real = answerer.generator

    class Broken:
        pieces: tuple[str, ...] = ()

        def standalone(self, question: str, _turns: Any, _spent: Any) -> str:
            return question

        def answer(self, _question: str, _hits: Any, _spent: Any) -> Any:
            yield from self.pieces
            raise error

    answerer.generator = broken = Broken()
    assert service.ask().json()["version"] == champion
    assert [name for name, _ in events(service.ask(stream=True).text)][-1] == "done"
    status, told = service.desk.readiness()
    assert (status, told["status"]) == (200, "degraded")
    assert [one["code"] for one in told["reasons"]] == ["trial"]  # neither the index nor the model of the champion
    broken.pieces = ("The library ",)
    assert [name for name, _ in events(service.ask(stream=True).text)] == ["delta", "error"]
    assert service.desk.split is not None and service.desk.split.failures == 3
    answerer.generator = real
    assert service.ask().json()["version"] == "2"


def test_pages_that_the_trial_cites_are_shown(service: Library, divide: Divide) -> None:
    place = "/v1/pages?document=lake.md&page=1"
    assert "There is no document" in service.client.get(place).text
    divide(0.5)
    assert "There is no image of page 1" in service.client.get(place).text
    assert service.client.get("/v1/pages?document=guide.pdf&page=1").status_code == 200


def test_a_trial_that_ended_closes_after_its_last_answer(service: Library, divide: Divide) -> None:
    handle = divide(0.999999, seconds=0.4)
    assert service.ask().json()["version"] == "2"
    time.sleep(0.5)
    assert service.ask().json()["version"] != "2"

    async def end() -> None:
        service.desk.divide(None)

    service.client.run(end())
    assert handle.retired and service.ask().status_code == 200
