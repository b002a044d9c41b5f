"""A split of the traffic: who answers what, that nothing fails meanwhile, and every way in which it ends."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from bentos.kit.errors import REQUEST_ID
from bentos.kit.split import FAILURES, GIVEN
from tasks.watching import log
from tests.bentos.conftest import FIELDS, ROW, Registry, Running, Serve, bentoml_serve
from tests.bentos.conftest import ready as is_ready
from tests.bentos.test_follow import follow, reasons, until, version
from tests.flows.under_load import Load


def asked(running: Running, number: int, **headers: str) -> Any:
    return running.predict(headers={"X-Request-ID": f"asked-{number}"} | headers)


def versions(running: Running, count: int = 200, **headers: str) -> list[str]:
    return [asked(running, number, **headers).json()["version"] for number in range(count)]


def trial(running: Running) -> str | None:
    told = running.client.get("/info").json()["split"]
    return told and str(told["version"])


@pytest.fixture
def divided(serve: Serve, registry: Registry) -> Running:
    """A service of which v2 answers half of the requests."""
    registry.add(2, intercept=2.0)
    registry.split(2, 0.5)
    running = follow(serve, registry)
    until(lambda: trial(running) == "2")
    return running


class Broken:
    """A predictor that breaks on each row, until it is mended."""

    def __init__(self, real: Any, error: Exception) -> None:
        self.real, self.error, self.broken = real, error, True
        self.schema = real.schema

    def predict(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.broken:
            raise self.error
        return list(self.real.predict(rows))

    def explain(self, row: dict[str, Any]) -> dict[str, Any]:
        return dict(self.real.explain(row))


def breaks(running: Running, error: Exception) -> Broken:
    assert running.desk.split is not None
    model = running.desk.split.handle.model
    model.predictor = broken = Broken(model.predictor, error)
    return broken


def test_a_share_is_answered_by_the_trial_and_named_in_answer_and_log(divided: Running, data_root: Path) -> None:
    told = [asked(divided, number).json() for number in range(200)]
    found = [one["version"] for one in told]
    assert set(found) == {"1", "2"} and 70 < found.count("2") < 130
    values = {one["version"]: one["prediction"] for one in told}
    assert values["2"] == values["1"] + 1 and len({(one["version"], one["prediction"]) for one in told}) == 2
    assert versions(divided) == found  # the same request, the same version
    logged = {one.request_id: one.version for one in log.read_all(log.folder(data_root, "wine"))}
    assert [logged[f"asked-{number}"] for number in range(200)] == found
    rows = [
        line for line in divided.client.get("/metrics").text.splitlines() if line.startswith("penstock_predictions")
    ]
    assert any('version="2"' in line for line in rows)


def test_a_session_stays_with_its_version(divided: Running) -> None:
    sessions = [set(versions(divided, 5, **{"X-Session-ID": f"session-{number}"})) for number in range(30)]
    assert all(len(one) == 1 for one in sessions)
    assert set.union(*sessions) == {"1", "2"}


def test_another_split_draws_others_and_a_share_is_changed_without_loading(
    divided: Running, registry: Registry
) -> None:
    before, handle = versions(divided), divided.desk.split and divided.desk.split.handle
    registry.split(2, 0.5, entry="f" * 64)
    until(lambda: divided.desk.split and divided.desk.split.terms.entry == "f" * 64)
    assert versions(divided) != before
    assert divided.desk.split and divided.desk.split.handle is handle


def test_without_a_split_the_champion_answers_all(serve: Serve, registry: Registry) -> None:
    running = follow(serve, registry)
    assert (set(versions(running, 20)), trial(running)) == ({"1"}, None)


def test_a_split_that_is_over_or_against_another_champion_is_none(serve: Serve, registry: Registry) -> None:
    registry.add(2)
    registry.split(2, 1.0, seconds=-1)
    running = follow(serve, registry)
    time.sleep(0.5)
    assert (set(versions(running, 5)), trial(running)) == ({"1"}, None)
    registry.split(2, 1.0, against=7)
    time.sleep(0.5)
    assert (set(versions(running, 5)), trial(running)) == ({"1"}, None)
    assert running.client.get("/ready").json()["status"] == "ready"


def test_it_ends_at_its_time_though_nobody_says_so(serve: Serve, registry: Registry) -> None:
    registry.add(2)
    registry.split(2, 1.0, seconds=2)
    running = follow(serve, registry)
    until(lambda: trial(running) == "2")
    registry.down = True
    until(lambda: version(running) == "1")
    until(lambda: trial(running) is None)


def test_a_trial_that_does_not_load_leaves_its_share_to_the_champion(serve: Serve, registry: Registry) -> None:
    registry.add(2, spoilt=True)
    registry.add(3, fields=[*FIELDS[:-1], FIELDS[-1] | {"nullable": True}])
    registry.add(4, intercept=4.0)
    registry.split(2, 1.0)
    running = follow(serve, registry)
    until(lambda: "v2 answers nothing of its share" in reasons(running))
    assert set(versions(running, 5)) == {"1"}
    assert running.client.get("/ready").json()["status"] == "degraded"
    refused = running.client.get("/info").json()["refused"]
    assert [(one["version"], one["alias"]) for one in refused] == [("2", "trial")]
    registry.split(3, 1.0, entry="f" * 64)
    until(lambda: "schema differs" in reasons(running))
    registry.split(4, 1.0)
    until(lambda: trial(running) == "4")
    assert (set(versions(running, 5)), reasons(running)) == ({"4"}, "")


def test_an_alias_that_a_person_moved_is_outside_the_ledger(serve: Serve, registry: Registry) -> None:
    registry.add(2)
    registry.move("trial", 2, ledger=False)
    running = follow(serve, registry)
    until(lambda: "alias outside ledger" in reasons(running))
    assert set(versions(running, 5)) == {"1"}
    del registry.aliases["trial"]
    until(lambda: not reasons(running))


def test_where_the_trial_breaks_the_champion_answers(divided: Running, data_root: Path) -> None:
    before = versions(divided)
    broken = breaks(divided, ZeroDivisionError("inside"))
    place = before.index("2")
    told = asked(divided, place)
    assert (told.status_code, told.json()["version"]) == (200, "1")
    assert "the trial v2 failed on 1 requests" in reasons(divided)
    assert divided.client.get("/ready").json()["status"] == "degraded"
    broken.broken = False
    assert asked(divided, place).json()["version"] == "2"
    broken.broken = True
    assert set(versions(divided)) == {"1"}
    assert f"failed on {FAILURES + 1} requests; it gets no more" in reasons(divided)
    assert f"penstock_trial_failures {FAILURES + 1}.0" in divided.client.get("/metrics").text
    records = [one for one in log.read_all(log.folder(data_root, "wine")) if one.request_id == f"asked-{place}"]
    assert [one.version for one in records] == ["2", "1", "2", "1"]


def test_a_request_that_began_before_the_split_is_the_champions(divided: Running, registry: Registry) -> None:
    """Nobody would answer in the place of a trial that failed on it."""
    registry.split(2, 1.0, entry="f" * 64)
    until(lambda: divided.desk.split and divided.desk.split.terms.share == 1.0)
    scope: dict[str, Any] = {"type": "http", "headers": [], REQUEST_ID: "early"}
    assert divided.desk.answering(Request(scope)).version == "1"
    assert divided.desk.answering(Request(scope | {GIVEN: False})).version == "2"


def test_what_the_asker_did_wrong_is_not_asked_twice(divided: Running) -> None:
    for number in range(20):
        assert divided.predict(ROW | {"schema": "five"}, headers={"X-Request-ID": f"{number}"}).status_code == 422
    assert reasons(divided) == ""


def test_a_promoted_trial_goes_on_as_champion_without_loading(divided: Running, registry: Registry) -> None:
    assert divided.desk.split is not None
    handle = divided.desk.split.handle
    registry.move("champion", 2)
    until(lambda: divided.client.get("/info").json()["version"] == "2")
    assert divided.desk.handle is handle and not handle.retired and divided.desk.split is None
    assert set(versions(divided, 20)) == {"2"}
    del registry.aliases["trial"]
    time.sleep(0.3)
    assert set(versions(divided, 20)) == {"2"}


def test_another_champion_ends_it_and_its_memory_is_given_back(divided: Running, registry: Registry) -> None:
    assert divided.desk.split is not None
    handle = divided.desk.split.handle
    registry.add(3, intercept=3.0)
    registry.move("champion", 3)
    until(lambda: divided.client.get("/info").json()["version"] == "3")
    assert set(versions(divided, 20)) == {"3"}
    assert handle.retired


@contextmanager
def client(url: str) -> Iterator[Callable[[], tuple[int, str, float]]]:
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:

        def ask() -> tuple[int, str, float]:
            answer = http.post("/predict", json=ROW)
            told = answer.json()
            return answer.status_code, str(told.get("version")), round(told.get("prediction", -1.0), 6)

        yield ask


@pytest.mark.timeout(180)
def test_splits_on_and_off_under_load_fail_no_request(registry: Registry, data_root: Path) -> None:
    registry.add(2, intercept=2.0)
    registry.add(3, intercept=3.0, spoilt=True)
    settings = {"PENSTOCK_FOLLOW": "champion", "PENSTOCK_RELEASE": "wine", "PENSTOCK_POLL_INTERVAL": "0.1"}
    settings["MLFLOW_TRACKING_URI"] = registry.url
    with bentoml_serve(data_root, "bentos.tabular.service:Tabular", **settings) as child:
        load = Load(is_ready(child), client)

        def answered_by(*wanted: str) -> bool:
            return {one for _, one, _ in load.seen[-200:]} == set(wanted) and len(load.seen) > 200

        with load.running(clients=4):
            for number, share in enumerate((0.3, 0.5, 0.3)):
                registry.split(2, share, entry=f"{number}" * 64)
                until(lambda: answered_by("1", "2"), 30)
                del registry.aliases["trial"]
                until(lambda: answered_by("1"), 30)
            registry.split(3, 0.5)
            until(lambda: "v3 answers nothing" in child.get("/ready").text, 30)
            registry.split(2, 0.5, entry="9" * 64)
            until(lambda: answered_by("1", "2"), 30)
            registry.move("champion", 2)
            until(lambda: answered_by("2"), 30)
    assert {status for status, _, _ in load.seen} == {200}
    values = {one: found for _, one, found in load.seen}
    assert {(one, found) for _, one, found in load.seen} == {("1", values["1"]), ("2", values["1"] + 1)}
