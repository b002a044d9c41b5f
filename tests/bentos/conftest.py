"""Small real releases, a registry that speaks MLflow's REST, and the tabular app around them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI

from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.shell import Shell
from bentos.tabular import routes
from bentos.tabular.model import Tabular, load_tabular
from tasks.artifacts import file_sha256
from tasks.registry.rest import SPLIT, Terms
from tasks.tables.models import Card, LinearFile, dump, write_model
from tasks.tables.predictor import Predictor
from tasks.tables.transform import Column, Transform

ROOT = Path(__file__).parents[2]
FIELDS: list[dict[str, Any]] = [
    {"name": "fixed acidity", "dtype": "float", "example": 7.4, "min": 3.8, "max": 15.9},
    {"name": "schema", "dtype": "int", "example": 5},
    {"name": "colour", "dtype": "str", "levels": ["red", "white"], "example": "red"},
    {"name": "_bottled", "dtype": "date", "nullable": True, "example": "2024-03-31"},
    {"name": "organic", "dtype": "bool", "example": True},
]
ROW = {one["name"]: one["example"] for one in FIELDS}


def write_release(
    folder: Path,
    intercept: float = 1.0,
    fields: list[dict[str, Any]] = FIELDS,
    release: str = "wine",
    spoilt: bool = False,
) -> Path:
    """A linear regression over FIELDS whose answers shift with `intercept`; `spoilt`: its golden answer is wrong."""
    folder.mkdir(parents=True)
    transform = Transform(
        columns=(
            Column(name="fixed acidity", kind="number"),
            Column(name="schema", kind="number"),
            Column(name="colour", kind="level", levels=("red", "white")),
            Column(name="_bottled", kind="date", median=19000.0, scale=100.0),
            Column(name="organic", kind="flag"),
        )
    )
    terms = tuple(name for _, name in transform.expanded)
    linear = LinearFile(
        terms=terms, centre=(0.0,) * len(terms), intercepts=(intercept,), coefficients=((0.5,) * len(terms),)
    )
    card = Card(family="linear", task="regression", metric="rmse", validation=0.1)
    write_model(folder, card, transform, dump(linear))
    files = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    told = {
        "schema_version": 1,
        "release": release,
        "kind": "tabular",
        "task": "regression",
        "input_schema": fields,
        "output_schema": [{"name": "prediction", "dtype": "float"}],
        "golden": [],
        "files": files,
    }
    (folder / "release.json").write_text(json.dumps(told))
    answer = Predictor.load(folder).predict([ROW])[0]
    told["golden"] = [{"request": ROW, "answer": {"prediction": answer["prediction"] + (1 if spoilt else 0)}}]
    (folder / "release.json").write_text(json.dumps(told))
    return folder


@dataclass
class Registry:
    """The MLflow routes that a service uses, over HTTP; `url` is where it listens."""

    root: Path
    url: str = ""
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    down: bool = False
    asked: int = 0

    def add(self, number: int, **given: Any) -> None:
        folder = write_release(self.root / f"v{number}", **given)
        tags = {"penstock.release_digest": file_sha256(folder / "release.json"), "data.digest": "d" * 64}
        self.versions[number] = {"folder": folder, "tags": tags}

    def move(self, alias: str, number: int, ledger: bool = True) -> None:
        """As the road does: first the tag, then the alias; without `ledger` as a hand would."""
        if ledger:
            self.versions[number]["tags"][f"penstock.ledger.{alias}"] = "e" * 64
        self.aliases[alias] = number

    def split(self, number: int, share: float, against: int = 1, seconds: float = 3600, entry: str = "e" * 64) -> None:
        """As the road does, too: the terms, the tag, the alias."""
        terms = Terms(against=str(against), share=share, until=time.time() + seconds, entry=entry)
        self.versions[number]["tags"] |= {SPLIT: terms.model_dump_json(), "penstock.ledger.trial": entry}
        self.aliases["trial"] = number

    def told(self, number: int) -> dict[str, Any]:
        tags = [{"key": key, "value": value} for key, value in self.versions[number]["tags"].items()]
        return {"model_version": {"name": "wine", "version": str(number), "run_id": f"run{number}", "tags": tags}}

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        self.asked += 1
        if self.down:
            return 503, b'{"error_code": "TEMPORARILY_UNAVAILABLE"}'
        if path.endswith("/registered-models/alias"):
            number = self.aliases.get(query["alias"][0])
            absent = {"error_code": "INVALID_PARAMETER_VALUE", "message": "no such alias"}
            return (200, json.dumps(self.told(number)).encode()) if number else (400, json.dumps(absent).encode())
        if path.endswith("/runs/get"):
            run = query["run_id"][0]
            uri = f"mlflow-artifacts:/1/{run}/artifacts"
            return 200, json.dumps({"run": {"info": {"run_id": run, "artifact_uri": uri}}}).encode()
        _, _, inner = path.partition("/artifacts/1/run")
        number_text, _, name = inner.partition("/artifacts/release/")
        file = self.versions[int(number_text)]["folder"] / name
        return (200, file.read_bytes()) if file.is_file() else (404, b"{}")


@contextmanager
def listening(told: Any) -> Iterator[None]:
    """Serve what a registry's `answer` says, at the URL that it is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            at = urlsplit(self.path)
            status, body = told.answer(at.path, parse_qs(at.query))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry with v1 as champion."""
    told = Registry(tmp_path / "registry")
    told.add(1)
    told.move("champion", 1)

    with listening(told):
        yield told


class Client:
    """Calls an ASGI service in its own event loop, started and stopped as a server would."""

    def __init__(self, app: FastAPI, desk: Desk[Tabular]) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.lifecycle = app.state.lifecycle
        transport = httpx.ASGITransport(Shell(app, desk), raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        self.run(self.lifecycle.start())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer: httpx.Response = self.run(self.http.request(method, path, **options))
        return answer

    def stop(self) -> None:
        self.run(self.http.aclose())
        self.run(self.lifecycle.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@dataclass
class Running:
    """A started service in this process."""

    client: Client
    desk: Desk[Tabular]

    def predict(self, row: dict[str, Any] = ROW, **options: Any) -> Any:
        return self.client.post("/predict", json=row, **options)


Serve = Callable[..., Running]


@dataclass
class Child:
    """`bentoml serve`, started as typed."""

    url: str
    process: subprocess.Popen[bytes]
    output: Path

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, trust_env=False, **options)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def bentoml_serve(root: Path, what: str, *options: str, cwd: Path = ROOT, **environment: str) -> Iterator[Child]:
    """A served bento or service in a child, ready or not; the child is ended with its whole group."""
    port = free_port()
    root.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bentoml", "serve", what, "--port", str(port), *options]
    known = os.environ | {"PENSTOCK_DATA_ROOT": str(root), "BENTOML_DO_NOT_TRACK": "true"} | environment
    with (root / "serve.log").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=known, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield Child(f"http://127.0.0.1:{port}", process, root / "serve.log")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ready(child: Child, limit: float = 50) -> Child:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and child.process.poll() is None:
        with suppress(httpx.TransportError):
            if child.get("/ready").status_code == 200:
                return child
        time.sleep(0.1)
    raise AssertionError(f"not ready: {child.output.read_text()}")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """One real service of a folder, for all tests that only ask it."""
    root = tmp_path_factory.mktemp("served")
    where = write_release(root / "release")
    with bentoml_serve(root / "var", "bentos.tabular.service:Tabular", PENSTOCK_FOLDER=str(where)) as child:
        yield ready(child)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_release(tmp_path / "release")


@pytest.fixture
def serve(data_root: Path) -> Iterator[Serve]:
    """Start a service with the given Config fields; it ends with the test."""
    running: list[Client] = []

    def start(**given: Any) -> Running:
        known = {"root": data_root, "store": str(data_root / "store"), "poll_s": 0.05}
        desk = Desk(load_tabular, Config(**(known | given)))
        running.append(Client(routes.app(desk), desk))
        return Running(running[-1], desk)

    yield start
    for client in running:
        client.stop()
