"""`bentoml serve` as typed: who answers, where it listens, how it ends."""

import hashlib
import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.bentos.conftest import ROW, Child, Registry, bentoml_serve, ready, write_release
from tests.bentos.test_follow import until
from tests.bentos.test_predict import refused

SERVICE = "bentos.tabular.service:Tabular"


def test_nothing_of_bento_answers(served: Child) -> None:
    answer = served.post("/predict", json=ROW)
    assert answer.status_code == 200
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    for path in ("/docs.json", "/schema.json", "/healthz", "/static_content/x", "/no/such/page"):
        refused(served.get(path), 404, "not_found")
    assert "penstock_request_seconds" in served.get("/metrics").text
    assert "bentoml" not in served.get("/metrics").text


def test_it_listens_on_loopback_and_leaves_a_heartbeat(served: Child) -> None:
    listening = subprocess.run(["ss", "-ltn"], capture_output=True, text=True, check=True).stdout
    port = served.url.rpartition(":")[2]
    assert f"127.0.0.1:{port} " in listening
    assert f"0.0.0.0:{port} " not in listening
    (beat,) = (served.output.parent / "store/replicas").glob("*.json")
    told = json.loads(beat.read_bytes())
    assert (told["release"], told["url"]) == ("wine", served.url)


def test_beyond_loopback_it_starts_only_with_keys(tmp_path: Path) -> None:
    with bentoml_serve(tmp_path / "open", SERVICE, "--host", "0.0.0.0") as child:
        assert child.process.wait(40) == 1
        assert "no API keys" in child.output.read_text()
        assert "Traceback" not in child.output.read_text()
    keys = json.dumps([{"name": "a", "sha256": hashlib.sha256(b"k").hexdigest(), "scopes": ["predict"]}])
    with bentoml_serve(tmp_path / "keyed", SERVICE, "--host", "0.0.0.0", PENSTOCK_API_KEYS=keys) as child:
        until(lambda: child.process.poll() is not None or "Starting production" in child.output.read_text(), 40)
        assert child.process.poll() is None


def test_an_unknown_setting_ends_it_with_one_sentence(tmp_path: Path) -> None:
    with bentoml_serve(tmp_path, SERVICE, PENSTOCK_FOLOW="champion") as child:
        assert child.process.wait(40) == 1
        assert "PENSTOCK_FOLLOW" in child.output.read_text()


@pytest.mark.timeout(120)
def test_a_worker_ends_with_its_supervisor_and_leaves(tmp_path: Path) -> None:
    where = write_release(tmp_path / "release")
    with bentoml_serve(tmp_path / "var", SERVICE, PENSTOCK_FOLDER=str(where)) as child:
        ready(child)
        os.kill(child.process.pid, signal.SIGKILL)
        child.process.wait(5)
        until(lambda: list((tmp_path / "var/store/replicas").iterdir()) == [], 10)
        until(lambda: not listening(int(child.url.rpartition(":")[2])), 10)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.timeout(120)
def test_it_follows_and_a_stopped_service_leaves(tmp_path: Path, registry: Registry) -> None:
    registry.add(2, intercept=2.0)
    settings = {
        "PENSTOCK_FOLLOW": "champion",
        "PENSTOCK_RELEASE": "wine",
        "MLFLOW_TRACKING_URI": registry.url,
        "PENSTOCK_POLL_INTERVAL": "0.2",
    }
    with bentoml_serve(tmp_path / "var", SERVICE, **settings) as child:
        ready(child)
        assert child.post("/predict", json=ROW).json()["version"] == "1"
        registry.move("champion", 2)
        until(lambda: child.get("/info").json()["version"] == "2", 5)
        registry.move("challenger", 1)
        until(lambda: child.get("/info").json()["shadow"] == "1", 30)
        told = child.output.read_text()
        assert [told.count(f"Serving wine v{number}") for number in (1, 2)] == [1, 1]
        os.kill(child.process.pid, signal.SIGTERM)
        child.process.wait(20)
        assert list((tmp_path / "var/store/replicas").iterdir()) == []
        with pytest.raises(ProcessLookupError):
            os.killpg(child.process.pid, 0)
