"""The log of a running service: on its way to the store, without personal fields, whatever the store does."""

import logging
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from bentos.kit import lifecycle
from tasks.artifacts import Store
from tasks.watching.compaction import compact
from tasks.watching.log import folder, read_all
from tasks.watching.parts import parts, rows
from tasks.watching.shipping import ship_left, shipped
from tests.bentos.conftest import FIELDS, ROW, Registry, Running, Serve, write_release
from tests.bentos.test_follow import follow, reasons, until
from tests.bentos.test_predict import refused

PERSONAL = [
    one
    | ({"personal": {"colour": "hash", "schema": "drop"}[one["name"]]} if one["name"] in ("colour", "schema") else {})
    for one in FIELDS
]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "SHIP_S", 0.05)
    monkeypatch.setattr(lifecycle, "BEAT_S", 0.05)


@pytest.fixture
def store(data_root: Path) -> Store:
    return Store(data_root / "store")


def ready(running: Running) -> str:
    return str(running.client.get("/ready").json()["status"])


def test_old_segments_reach_the_store_while_nobody_asks(serve: Serve, folder: Path, store: Store) -> None:
    asked = serve(folder=folder, segment_s=0.1).predict().json()["request_id"]
    until(lambda: shipped(store, "wine"))
    (part,) = compact(store, "wine")
    assert [one for batch in rows(store, [part]) for one in batch["request_id"].to_pylist()] == [asked]


def test_a_service_that_stops_leaves_nothing_behind(serve: Serve, folder: Path, store: Store, data_root: Path) -> None:
    running = serve(folder=folder)
    running.predict()
    running.client.run(running.client.lifecycle.stop())
    assert len(shipped(store, "wine")) == 1
    assert list(read_all(data_root / "predictions/wine")) == []
    assert store.list("replicas") == []


def test_a_store_that_refuses_is_told_and_tried_again(serve: Serve, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    place.write_text("a file, where the store should be")
    running = serve(folder=folder, store=str(place), segment_s=0.01)
    assert running.predict().status_code == 200
    until(lambda: "the log stays on this machine" in reasons(running) and "heartbeat" in reasons(running))
    assert ready(running) == "degraded" and running.predict().status_code == 200
    place.unlink()
    until(lambda: ready(running) == "ready" and len(shipped(Store(place), "wine")) == 2)


def test_a_slow_store_delays_no_request(serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = serve(folder=folder, segment_s=0.01)
    write = Store.write
    monkeypatch.setattr(Store, "write", lambda *given: (time.sleep(1), write(*given)))
    time.sleep(0.2)
    took = []
    for _ in range(20):
        began = time.monotonic()
        assert running.predict().status_code == 200
        took.append(time.monotonic() - began)
    assert min(took) < 0.5


def test_personal_fields_are_hashed_or_dropped(serve: Serve, tmp_path: Path, data_root: Path) -> None:
    where = write_release(tmp_path / "personal", fields=PERSONAL)
    running = serve(folder=where, pseudonym_key=b"secret")
    running.predict(ROW | {"colour": "rosé"})
    running.predict(ROW | {"colour": "rosé"})
    first, second = read_all(folder(data_root, "wine"))
    assert first.inputs == second.inputs
    assert set(ROW) - set(first.inputs) == {"schema"} and first.inputs["colour"] not in ("rosé", "")
    assert first.output["unseen"] == ["colour=(personal)"]


def test_without_a_key_they_are_dropped_and_it_is_said(
    serve: Serve, tmp_path: Path, data_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="penstock")
    running = serve(folder=write_release(tmp_path / "personal", fields=PERSONAL))
    assert "PENSTOCK_PSEUDONYM_KEY is not set" in caplog.text and ready(running) == "ready"
    running.predict()
    (record,) = read_all(folder(data_root, "wine"))
    assert set(ROW) - set(record.inputs) == {"schema", "colour"}


def test_the_challenger_is_asked_the_truth_and_logs_none_of_it(
    serve: Serve, registry: Registry, data_root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_LOG_SEGMENT_S", "0.2")
    for number in (3, 4):
        registry.add(number, intercept=float(number), fields=PERSONAL)
    registry.move("champion", 3)
    registry.move("challenger", 4)
    running = follow(serve, registry, segment_s=0.1)
    until(lambda: running.client.get("/info").json()["shadow"] == "4", 30)
    said = running.predict(ROW | {"colour": "rosé"}).json()["prediction"]
    (shadow,) = until(lambda: logged(store, data_root, "shadow"))
    assert orjson.loads(shadow["output"]) == {"prediction": said + 1, "unseen": ["colour=(personal)"]}
    assert "rosé" not in str(logged(store, data_root, "shadow", "prediction"))


def logged(store: Store, root: Path, *kinds: str) -> list[dict[str, Any]]:
    ship_left(store, root, "wine")
    compact(store, "wine")
    found = rows(store, parts(store, "wine"), kinds=kinds)
    return [row for batch in found for row in batch.to_pylist()]


@pytest.mark.parametrize("label", ["good", True])
def test_a_label_that_no_answer_can_have_is_refused(serve: Serve, folder: Path, label: Any) -> None:
    running = serve(folder=folder)
    error = refused(running.client.post("/feedback", json={"request_id": "a", "label": label}), 422, "bad_input")
    assert error["details"][0]["field"] == "label" and "a number" in error["message"]
    assert running.client.post("/feedback", json={"request_id": "a", "label": 3}).status_code == 200
