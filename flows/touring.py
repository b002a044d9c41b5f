"""What the parts of the demo share: headings, trainings, and a service as a user would start it (a chat does, too)."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx

from flows import console, running, servers
from flows.orders import Order
from flows.replay import stands
from tasks.errors import Unavailable
from tasks.settings import ROOT, Settings

PATIENCE = 180  # seconds


def part(title: str) -> None:
    console.out.print(f"\n{title}", style="bold")


def train(order: Order, settings: Settings) -> None:
    if not stands(order, settings):
        running.train(order, settings)


@contextmanager
def service(name: str, settings: Settings) -> Iterator[str]:
    """`penstock serve` on a free port; ended afterwards."""
    port = free_port()
    command = [sys.executable, "-m", "flows.cli", "serve", name, "--port", str(port)]
    with servers.log_file(settings, f"serve-{name}").open("ab") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_ready(name, f"http://127.0.0.1:{port}", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):  # it died by itself: that it did is told already
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(PATIENCE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_ready(name: str, url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/ready", timeout=2, trust_env=False).is_success:
                return
        time.sleep(0.2)
    raise Unavailable(f"The service of {name} did not get ready; `penstock serve {name}` shows why.")
