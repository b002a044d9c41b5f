"""The tabular routes: good rows answered, bad ones refused in the schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.watching import log
from tests.bentos.conftest import ROW, Serve

ERROR_FIELDS = {"code", "message", "status", "path", "request_id", "details"}


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert (answer.status_code, error["status"], error["code"]) == (status, status, code)
    assert set(error) == ERROR_FIELDS
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


def test_answers_name_version_and_request(serve: Serve, folder: Path) -> None:
    answer = serve(folder=folder).predict(headers={"X-Request-ID": "abc-1"})
    told = answer.json()
    assert told["version"].startswith("local-")
    assert told["request_id"] == answer.headers["x-request-id"] == "abc-1"
    assert told["prediction"] == json.loads((folder / "release.json").read_bytes())["golden"][0]["answer"]["prediction"]


def test_an_unusable_request_id_is_replaced(serve: Serve, folder: Path) -> None:
    given = "x" * 200
    assert serve(folder=folder).predict(headers={"X-Request-ID": given}).headers["x-request-id"] != given


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"{", 400, "not_json", None),
        (b"", 400, "not_json", None),
        (b"\xff\xfe", 400, "not_json", None),
        (json.dumps([ROW]).encode(), 422, "bad_input", ""),
        (json.dumps(ROW | {"no such": 1}).encode(), 422, "bad_input", "no such"),
        (json.dumps(ROW | {"fixed acidity": float("nan")}).encode(), 422, "bad_input", "fixed acidity"),
        (json.dumps(ROW | {"fixed acidity": float("inf")}).encode(), 422, "bad_input", "fixed acidity"),
        (json.dumps(ROW | {"fixed acidity": "7.4"}).encode(), 422, "bad_input", "fixed acidity"),
        (json.dumps(ROW | {"fixed acidity": None}).encode(), 422, "bad_input", "fixed acidity"),
        (json.dumps(ROW | {"schema": 5.5}).encode(), 422, "bad_input", "schema"),
        (json.dumps(ROW | {"schema": 10**400}).encode(), 422, "bad_input", "schema"),
        (json.dumps(ROW | {"organic": 1}).encode(), 422, "bad_input", "organic"),
        (json.dumps(ROW | {"_bottled": "31.3.2024"}).encode(), 422, "bad_input", "_bottled"),
        (json.dumps(ROW | {"_bottled": "2024-02-31"}).encode(), 422, "bad_input", "_bottled"),
    ],
)
def test_bad_bodies(serve: Serve, folder: Path, body: bytes, status: int, code: str, field: str | None) -> None:
    answer = serve(folder=folder).client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    error = refused(answer, status, code)
    if field is not None:
        assert error["details"][0]["field"] == field


def test_unseen_levels_are_reported_and_unknown_values_may_be_left_out(serve: Serve, folder: Path) -> None:
    running = serve(folder=folder)
    assert running.predict(ROW | {"colour": "rosé"}).json()["unseen"] == ["colour=rosé"]
    without = {name: value for name, value in ROW.items() if name != "_bottled"}
    assert (
        running.predict(without).json()["prediction"] == running.predict(ROW | {"_bottled": None}).json()["prediction"]
    )
    assert "penstock_unseen_levels_total 1.0" in running.client.get("/metrics").text


def test_batches(serve: Serve, folder: Path) -> None:
    running = serve(folder=folder, max_batch=40)
    one = running.predict().json()["prediction"]
    for rows in (1, 16, 17, 40):
        told = running.client.post("/batch_predict", json=[ROW] * rows).json()
        assert [found["prediction"] for found in told["predictions"]] == [one] * rows
    refused(running.client.post("/batch_predict", json=[ROW] * 41), 422, "batch_too_large")
    refused(running.client.post("/batch_predict", json=[]), 422, "bad_input")
    wrong = refused(running.client.post("/batch_predict", json=[ROW, ROW | {"schema": "x"}]), 422, "bad_input")
    assert wrong["details"][0]["field"] == "1.schema"


def test_explanations_add_up(serve: Serve, folder: Path) -> None:
    told = serve(folder=folder).client.post("/explain", json=ROW).json()
    assert set(told["contributions"]) == set(ROW)
    assert told["base"] + sum(told["contributions"].values()) == pytest.approx(told["score"])
    assert told["score"] == pytest.approx(told["prediction"])


def test_predictions_and_feedback_join_in_the_log(serve: Serve, folder: Path, data_root: Path) -> None:
    running = serve(folder=folder)
    asked = running.predict().json()["request_id"]
    running.client.post("/batch_predict", json=[ROW, ROW], headers={"X-Request-ID": "two"})
    sent = {"request_id": asked, "label": 6.0, "comment": "measured"}
    assert running.client.post("/feedback", json=sent).json() == {"request_id": asked, "accepted": True}
    counted = running.client.get("/metrics").text
    for said, count in (("label", 1), ("comment", 1), ("rating", 0)):
        assert (f'penstock_feedback_total{{said="{said}",version="local-' in counted) == bool(count)
    records = list(log.read_all(log.folder(data_root, "wine")))
    assert [(one.kind, one.row) for one in records] == [
        ("prediction", 0),
        ("prediction", 0),
        ("prediction", 1),
        ("feedback", 0),
    ]
    first, last = records[0], records[-1]
    assert (first.request_id, first.inputs, first.replica) == (asked, ROW, "local")
    assert first.output["prediction"] == running.predict().json()["prediction"]
    assert (last.request_id, last.label, last.comment) == (asked, 6.0, "measured")


@pytest.mark.parametrize(
    "sent",
    [{}, {"label": 1}, {"request_id": "a"}, {"request_id": "a b", "rating": 1}, {"request_id": "a", "rating": 9}],
)
def test_empty_feedback_is_refused(serve: Serve, folder: Path, sent: dict[str, Any]) -> None:
    refused(serve(folder=folder).client.post("/feedback", json=sent), 422, "bad_input")


def test_an_integer_may_be_written_with_a_point(serve: Serve, folder: Path) -> None:
    running = serve(folder=folder)
    assert running.predict(ROW | {"schema": 5.0}).json()["prediction"] == running.predict().json()["prediction"]
    refused(running.predict(ROW | {"schema": 1e300}), 422, "bad_input")
