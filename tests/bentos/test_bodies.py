"""Bodies that are made to be costly: refused soon, and in little memory; and large ones that are good."""

import asyncio
import gc
import json
import resource
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bentos.kit.desk import Desk
from bentos.kit.errors import DETAILS
from tasks.tables.requests import plain
from tasks.watching import log
from tests.bentos.conftest import FIELDS, ROW, Serve, write_release
from tests.bentos.test_predict import refused

WIDE = {str(number): 1 for number in range(320_000)}
TWICE = b'{"x":1' + b',"x":1' * 600_000 + b"}"
JSON = {"Content-Type": "application/json"}


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture
def alone() -> Iterator[None]:
    """What other tests left in this process is not looked through while a body is measured."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/batch_predict", b"[" + b"{}," * 1_390_000 + b"{}]", 422, "batch_too_large"),
        ("/batch_predict", b"[" + b"1," * 2_000_000 + b"1]", 422, "batch_too_large"),
        ("/batch_predict", b"[" + b"{}," * 85_000 + b"{}]", 422, "batch_too_large"),
        ("/batch_predict", b"[" + b"{}," * 900 + b"{}]", 422, "bad_input"),
        ("/batch_predict", json.dumps([ROW, WIDE]).encode(), 422, "bad_input"),
        ("/batch_predict", b"[" + TWICE + b"]", 422, "bad_input"),
        ("/batch_predict", json.dumps(WIDE).encode(), 422, "bad_input"),
        ("/predict", json.dumps(WIDE).encode(), 413, "too_large"),
        ("/explain", json.dumps(WIDE).encode(), 413, "too_large"),
        ("/feedback", json.dumps(WIDE).encode(), 413, "too_large"),
        ("/predict", TWICE, 413, "too_large"),
        ("/predict", json.dumps(dict.fromkeys(list(WIDE)[:7000], 1)).encode(), 422, "bad_input"),
        ("/feedback", json.dumps(dict.fromkeys(list(WIDE)[:7000], 1)).encode(), 422, "bad_input"),
    ],
    ids=lambda one: one[:24].decode() if isinstance(one, bytes) else str(one),
)
def test_costly_bodies_are_refused_soon(
    serve: Serve, folder: Path, path: str, body: bytes, status: int, code: str
) -> None:
    client = serve(folder=folder).client
    assert len(body) <= 4 << 20
    before, started = megabytes(), time.process_time()
    answer = client.post(path, content=body, headers=JSON)
    took, grown = time.process_time() - started, megabytes() - before
    assert len(refused(answer, status, code)["details"]) <= DETAILS
    assert took < 1
    assert grown < 300


def test_an_unknown_field_of_an_otherwise_bad_row_is_named(serve: Serve, folder: Path) -> None:
    row = {"acidity" if name == "fixed acidity" else name: value for name, value in ROW.items()}
    details = refused(serve(folder=folder).predict(row), 422, "bad_input")["details"]
    assert {one["field"] for one in details} == {"fixed acidity", "acidity"}


def test_one_long_text_is_not_a_large_body(serve: Serve, folder: Path) -> None:
    running = serve(folder=folder)
    assert running.predict(ROW | {"colour": "x" * 60_000}).status_code == 200
    refused(running.predict(ROW | {"colour": "x" * 90_000}), 413, "too_large")


MOMENT = datetime(2024, 3, 31, 10, 30)


@pytest.mark.parametrize("moment", [MOMENT, MOMENT.replace(microsecond=1500), MOMENT.replace(hour=0, minute=0)])
def test_what_training_writes_for_a_moment_is_accepted(serve: Serve, tmp_path: Path, moment: datetime) -> None:
    """The example of the release, the golden requests and the rows of a client are all written by `plain`."""
    fields = [one | {"example": plain(moment)} if one["dtype"] == "date" else one for one in FIELDS]
    running = serve(folder=write_release(tmp_path / "timed", fields=fields))
    document = running.client.get("/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert body["_bottled"] == plain(moment)
    assert running.predict(body).json()["prediction"] == running.predict().json()["prediction"]
    assert running.client.post("/batch_predict", json=[body]).status_code == 200


@pytest.mark.parametrize("text", ["2024-03-31T25:00:00", "2024-03-31Tnoon", "20240331", "2024-W13-7", "2024-03-31T"])
def test_other_texts_are_no_dates(serve: Serve, folder: Path, text: str) -> None:
    error = refused(serve(folder=folder).predict(ROW | {"_bottled": text}), 422, "bad_input")
    assert error["details"][0]["field"] == "_bottled"


def test_batches_and_single_rows_are_logged_whole_and_in_order(serve: Serve, folder: Path, data_root: Path) -> None:
    running = serve(folder=folder)

    async def ask() -> list[Any]:
        http = running.client.http
        work = [
            http.post("/batch_predict", json=[ROW] * 300, headers={"X-Request-ID": f"many{number}"})
            if number % 3 == 0
            else http.post("/predict", json=ROW, headers={"X-Request-ID": f"one{number}"})
            for number in range(30)
        ]
        return list(await asyncio.gather(*work))

    assert {answer.status_code for answer in running.client.run(ask())} == {200}
    records = list(log.read_all(log.folder(data_root, "wine")))
    assert len(records) == 10 * 300 + 20
    batches = [one for one in records if one.request_id.startswith("many")]
    assert [one.row for one in batches] == list(range(300)) * 10
    times = [one.time for one in records]
    assert times == sorted(times)


def test_a_slow_disk_holds_up_no_other_request(serve: Serve, folder: Path, data_root: Path) -> None:
    running = serve(folder=folder)
    desk: Desk[Any] = running.desk

    class Slow(log.Writer):
        def _append(self, data: bytes) -> None:
            time.sleep(0.5)
            super()._append(data)

    desk.log = Slow(log.folder(data_root, "wine"), "local")

    async def ask() -> float:
        batch = asyncio.create_task(running.client.http.post("/batch_predict", json=[ROW] * 200))
        worst = 0.0
        while not batch.done():
            await asyncio.sleep(0.005)
            started = time.perf_counter()
            await running.client.http.get("/info")
            worst = max(worst, time.perf_counter() - started)
        assert batch.result().status_code == 200
        return worst

    assert running.client.run(ask()) < 0.3
