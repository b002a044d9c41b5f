"""The demo's service: one that dies is told of, one that is slow is waited for without haste."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from flows.touring import service, wait_ready
from tasks import settings
from tasks.errors import Unavailable

BUSY = 3  # times that the service is not ready yet


@pytest.fixture
def alive() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.send_signal(signal.SIGTERM)


@pytest.fixture
def slow() -> Iterator[tuple[str, list[str]]]:
    """The URL of a service that is ready after some requests, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(503 if len(asked) <= BUSY else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_that_is_not_ready_is_asked_again_after_a_pause(
    alive: subprocess.Popen[bytes], slow: tuple[str, list[str]]
) -> None:
    url, asked = slow
    began = time.monotonic()
    wait_ready("wine", url, alive)
    assert asked == ["/ready"] * (BUSY + 1) and time.monotonic() - began >= BUSY * 0.2


def test_a_service_that_died_at_its_start_is_told_of() -> None:
    with pytest.raises(Unavailable, match="`penstock serve nobody` shows why"), service("nobody", settings.load()):
        pytest.fail("it cannot be ready")
