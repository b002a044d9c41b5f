"""The tour: train, train again, serve, ask. Later kinds add their part."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from flows import console, running, servers
from flows.orders import Order
from flows.replay import stands
from tasks.artifacts import opened
from tasks.errors import Unavailable
from tasks.settings import ROOT, Settings
from tasks.sources.snapshots import latest

RELEASE, DATASET = "credit-risk", "credit-applications"
PATIENCE = 180  # seconds


def run(settings: Settings) -> None:
    """About a minute where everything is installed; each part says what it shows."""
    console.listen()
    part(f"1. Train {RELEASE}: rows, contract, models, gate (about half a minute; nothing where it was done before)")
    train(settings)
    show_data(settings)
    part("2. Train again: nothing changed, so nothing runs")
    started = time.monotonic()
    train(settings)
    console.out.print(f"({time.monotonic() - started:.2f} s)")
    part("3. Serve the champion and ask it")
    with service(RELEASE, settings) as url:
        ask(url)
    part("Where to look")
    web = settings.prefect_url.removesuffix("/api")
    console.show("pages", ("what", "where"), [("runs and decisions", web), ("models and metrics", settings.mlflow_url)])
    console.out.print(f"Next: penstock history {RELEASE}, penstock report {RELEASE}, penstock serve {RELEASE}.")
    console.out.print("The two servers stay for the next command; `./justw down` ends them.")


def train(settings: Settings) -> None:
    order = Order(release=RELEASE)
    if not stands(order, settings):
        running.train(order, settings)


def part(title: str) -> None:
    console.out.print(f"\n{title}", style="bold")


def show_data(settings: Settings) -> None:
    with opened(settings.store):
        snapshot = latest(DATASET)
    if snapshot is not None:
        facts = (snapshot.version, snapshot.rows, len(snapshot.columns), snapshot.digest[:12])
        console.show(f"snapshot of {DATASET}", ("version", "rows", "columns", "digest"), [facts])


@contextmanager
def service(name: str, settings: Settings) -> Iterator[str]:
    """`penstock serve` as a user would start it, on a free port; ended afterwards."""
    port = free_port()
    command = [sys.executable, "-m", "flows.cli", "serve", name, "--port", str(port)]
    with servers.log_file(settings, "demo").open("ab") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_ready(f"http://127.0.0.1:{port}", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(PATIENCE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/ready", timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise Unavailable(f"The service of {RELEASE} did not get ready; `penstock serve {RELEASE}` shows why.")


def ask(url: str) -> None:
    """The example of the service's own OpenAPI document."""
    document = httpx.get(f"{url}/openapi.json", trust_env=False).json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    console.out.print(f"POST {url}/predict {json.dumps(body)}")
    console.out.print(httpx.post(f"{url}/predict", json=body, trust_env=False).text)
