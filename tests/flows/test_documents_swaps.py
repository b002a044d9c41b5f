"""A service that follows a documents release through promotion, rollback and approval, asked all the while."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from flows.release import promote, roll_back
from tasks.settings import ROOT
from tests.bentos.conftest import bentoml_serve
from tests.bentos.conftest import ready as is_ready
from tests.flows.papers import Shelf
from tests.flows.test_documents import first, house, ready
from tests.flows.under_load import Load

__all__ = ["first", "house", "ready"]  # fixtures

QUESTION = "How long may I keep a book?"
DAYS = {"1": "twenty-eight days", "2": "thirty-five days"}


@contextmanager
def client(url: str) -> Iterator[Callable[[], tuple[int, str, str]]]:
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:

        def ask() -> tuple[int, str, str]:
            answer = http.post("/v1/ask", json={"question": QUESTION})
            told = answer.json()
            return answer.status_code, str(told.get("version")), str(told.get("answer"))

        yield ask


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_three_swaps_under_load_fail_no_query(
    first: Shelf, data_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "PENSTOCK_FOLLOW": "champion",
        "PENSTOCK_RELEASE": first.name,
        "PENSTOCK_POLL_INTERVAL": "0.2",
        "PENSTOCK_REQUEST_TIMEOUT": "30",
        "PENSTOCK_TRACE_SHARE": "0",
    }
    with bentoml_serve(data_root, "bentos.rag.service:Rag", cwd=ROOT, **settings) as child:
        load = Load(is_ready(child, 120), client)
        started = time.monotonic()
        with load.running(clients=4):
            first.edit("lending", DAYS["1"], DAYS["2"])
            assert first.train().state == "promoted"
            load.swapped("2")
            assert roll_back(first.name).champion == 1
            load.swapped("1")
            assert promote(first.name, 2, override=True).champion == 2
            load.swapped("2")
        seconds = time.monotonic() - started
    assert {status for status, _, _ in load.seen} == {200}
    assert {version for _, version, _ in load.seen} == {"1", "2"}
    assert [one for one in load.seen if DAYS[one[1]] not in one[2]] == []
    with capsys.disabled():
        print(f"\n{len(load.seen)} answers in {seconds:.0f} s through three swaps, none failed")  # noqa: T201
