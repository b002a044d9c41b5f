"""The shell: probes, the one error schema, limits, keys, metrics."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.kit.config import Config, bound
from bentos.kit.desk import Desk
from bentos.kit.errors import REQUEST_ID
from bentos.kit.keys import check_binding, read_keys
from bentos.kit.shell import Shell
from bentos.tabular.model import load_tabular
from tasks.errors import BadInput
from tests.bentos.conftest import ROW, Serve
from tests.bentos.test_predict import refused

READ = {"name": "watcher", "sha256": hashlib.sha256(b"one").hexdigest(), "scopes": ["read"]}
SHOP = {"name": "shop", "sha256": hashlib.sha256(b"two").hexdigest(), "scopes": ["predict"], "tenant": "acme"}


def test_probes(serve: Serve, folder: Path) -> None:
    client = serve(folder=folder).client
    for path in ("/livez", "/health", "/readyz", "/ready"):
        assert client.get(path).status_code == 200
    assert client.get("/ready").json()["release"] == "wine"
    refused(client.post("/ready"), 405, "method_not_allowed")


def test_without_a_release_it_is_alive_and_not_ready(serve: Serve) -> None:
    client = serve().client
    assert client.get("/health").status_code == 200
    told = client.get("/ready")
    assert told.status_code == 503
    assert "PENSTOCK_FOLDER" in told.json()["reasons"][0]["message"]
    refused(client.post("/predict", json=ROW), 503, "not_ready")
    refused(client.get("/info"), 503, "not_ready")
    assert client.get("/openapi.json").status_code == 200


def test_a_damaged_release_is_not_served(serve: Serve, folder: Path) -> None:
    (folder / "linear.json").write_text("{}")
    told = serve(folder=folder).client.get("/ready")
    assert told.status_code == 503
    assert "linear.json" in told.json()["reasons"][0]["message"]


def test_unknown_paths_and_methods(serve: Serve, folder: Path) -> None:
    client = serve(folder=folder).client
    refused(client.get("/no/such/page"), 404, "not_found")
    refused(client.get("/docs.json"), 404, "not_found")
    assert refused(client.get("/predict"), 405, "method_not_allowed")["path"] == "/predict"
    assert client.get("/predict").headers["allow"] == "POST"
    refused(
        client.post("/predict", content=b"a=1", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type"
    )


def test_odd_paths_leave_no_labels(serve: Serve, folder: Path) -> None:
    client = serve(folder=folder).client
    for number in range(50):
        client.get(f"/odd/{number}")
        client.request(f"ODD{number}", "/predict")
    text = client.get("/metrics").text
    assert "odd/" not in text
    assert "ODD" not in text
    assert 'route="unmatched"' in text
    assert "# TYPE penstock_request_seconds histogram" in text


def test_large_bodies(serve: Serve, folder: Path) -> None:
    client = serve(folder=folder, max_body_bytes=2000).client

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 100

    refused(client.post("/predict", content=b" " * 2001), 413, "too_large")
    refused(client.post("/predict", content=chunks()), 413, "too_large")
    assert client.post("/predict", content=json.dumps(ROW)).status_code == 200


async def slow(scope: Any, _receive: Any, send: Any) -> None:
    await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope[REQUEST_ID].encode()})


async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
    raise RuntimeError("secret inside")


async def ask(app: Any, count: int, **given: Any) -> list[httpx.Response]:
    shell = Shell(app, Desk(load_tabular, Config(**given)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shell), base_url="http://localhost") as client:
        return list(await asyncio.gather(*(client.get("/any") for _ in range(count))))


def test_beyond_slots_and_queue_is_429() -> None:
    answers = asyncio.run(ask(slow, 5, max_concurrency=1, max_queue=2))
    assert sorted(one.status_code for one in answers) == [200, 200, 200, 429, 429]
    late = next(one for one in answers if one.status_code == 429)
    refused(late, 429, "too_many_requests")
    assert late.headers["retry-after"] == "1"


def test_too_slow_is_504() -> None:
    (answer,) = asyncio.run(ask(slow, 1, timeout_s=0.05))
    refused(answer, 504, "timeout")


async def reading(scope: Any, receive: Any, send: Any) -> None:
    """An app that reads its whole body."""
    while (await receive()).get("more_body"):
        pass
    await slow(scope, receive, send)


def sent(parts: int, size: int, rest: float = 0.1) -> int:
    """The status of a document that comes in parts, one after a rest, where a request may take 0.35 s."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(parts):
            yield b"a" * size
            await asyncio.sleep(rest)

    async def status() -> int:
        desk = Desk(load_tabular, Config(timeout_s=0.35))
        desk.uploads.add("/upload")
        scope = {"type": "http", "method": "POST", "path": "/upload", "headers": []}
        statuses, pieces = [], body()

        async def receive() -> Any:
            piece = await anext(pieces, None)
            return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

        async def send(message: Any) -> None:
            statuses.append(message.get("status"))

        await Shell(reading, desk)(scope, receive, send)
        return int(statuses[0])

    return asyncio.run(status())


def test_a_document_has_time_to_arrive_but_not_for_ever() -> None:
    assert sent(6, 64 << 10) == 200  # longer than a request, and 0.3 s are worked on it afterwards
    assert sent(6, 1) == 504  # whoever trickles is given up
    assert sent(2, 64 << 10, rest=9) == 504


def test_a_failure_tells_nothing_of_its_inside(caplog: pytest.LogCaptureFixture) -> None:
    (answer,) = asyncio.run(ask(broken, 1))
    assert "secret" not in refused(answer, 500, "internal_error")["message"]
    assert "secret inside" in caplog.text


def test_keys_scopes_and_tenants(serve: Serve, folder: Path, data_root: Path) -> None:
    running = serve(folder=folder, keys=read_keys(json.dumps([READ, SHOP])))
    assert running.client.get("/ready").status_code == 200
    refused(running.predict(), 401, "unauthorized")
    refused(running.predict(headers={"X-API-Key": "three"}), 401, "unauthorized")
    refused(running.predict(headers={"X-API-Key": "one"}), 403, "forbidden")
    assert running.predict(headers={"X-API-Key": "two"}).status_code == 200
    assert running.predict(headers={"Authorization": "Bearer two"}).status_code == 200
    refused(running.client.get("/metrics"), 401, "unauthorized")
    assert running.client.get("/metrics", headers={"X-API-Key": "one"}).status_code == 200
    refused(running.client.get("/info", headers={"X-API-Key": "two"}), 403, "forbidden")
    (segment,) = (data_root / "predictions/wine/local").iterdir()
    logged = segment.read_text()
    assert '"tenant":"acme"' in logged
    assert "two" not in logged


def test_beyond_loopback_needs_keys(tmp_path: Path) -> None:
    none, some = read_keys(None), read_keys(json.dumps([READ]))
    for host in ("127.0.0.1", "::1"):
        check_binding(host, none)
    for host in ("0.0.0.0", "192.168.1.7", "::"):
        check_binding(host, some)
        with pytest.raises(BadInput, match="no API keys"):
            check_binding(host, none)
    (tmp_path / "keys.json").write_text(json.dumps([SHOP]))
    assert read_keys(str(tmp_path / "keys.json"))
    for wrong in ("[{", '[{"name": "a", "key": "plain"}]', str(tmp_path / "none.json")):
        with pytest.raises(BadInput):
            read_keys(wrong)


@pytest.mark.parametrize(
    ("told", "host"),
    [
        ("http://localhost:3000", "0.0.0.0"),
        ("http://127.0.0.1:3000", "127.0.0.1"),
        ("http://10.1.2.3:3000", "10.1.2.3"),
    ],
)
def test_a_worker_knows_where_it_listens(monkeypatch: pytest.MonkeyPatch, told: str, host: str) -> None:
    monkeypatch.setenv("BENTOML_RUNNER_MAP", json.dumps({"tabular": told}))
    assert bound() == (host, 3000)


def test_the_page_loads_nothing_from_elsewhere(serve: Serve, folder: Path) -> None:
    client = serve(folder=folder).client
    page = client.get("/", follow_redirects=True)
    assert page.url.path == "/docs"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text
    assert "POST /batch_predict" in page.text


def test_a_full_disk_is_a_reason_and_not_an_error(serve: Serve, folder: Path, data_root: Path) -> None:
    running = serve(folder=folder)
    (data_root / "predictions").mkdir(parents=True)
    (data_root / "predictions" / "wine").write_text("a file where the folder should be")
    assert running.predict().status_code == 200
    told = running.client.get("/ready")
    assert (told.status_code, told.json()["status"]) == (200, "degraded")
    counted = running.client.get("/metrics").text
    for line in ("penstock_log_lost_total 1.0", "penstock_ready 1.0", "penstock_ready_reasons 1.0"):
        assert line in counted
