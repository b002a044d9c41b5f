"""What Prefect is told of the documents, and what a caller is told of Prefect."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bentos.rag import events
from flows.servers import POOL
from tasks.settings import load
from tests.bentos.rag.conftest import Open
from tests.bentos.rag.test_documents import send

WORKERS = f"/api/work_pools/{POOL}/workers/filter"


class Prefect(ThreadingHTTPServer):
    """Prefect's routes that the service uses; `answers` are its status and its list of workers."""

    answers: tuple[int, Any] = 200, [{"status": "ONLINE"}]
    delay = 0.0
    daemon_threads = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.events: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    class Handler(BaseHTTPRequestHandler):
        server: Prefect

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.asked.append((self.path, self.headers["Authorization"]))
            status, told = 204, None
            if self.path == "/api/events":
                self.server.events += body
            else:
                assert self.path == WORKERS
                status, told = self.server.answers
            time.sleep(self.server.delay)
            data = b"" if told is None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: Any) -> None:
            """Keep the test's output clean."""

    server = Prefect(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_prefect_is_told_and_a_missing_worker_is_said(library: Open, prefect: Prefect) -> None:
    client = library(prefect_url=prefect.url).client
    told = send(client, "a.md", b"text").json()
    assert "train" not in told["note"]
    (event,) = prefect.events
    assert event["event"] == "penstock.documents.uploaded"
    assert event["resource"]["prefect.resource.id"] == "penstock.dataset.library-guides"
    assert event["payload"]["path"] == "uploads/shared/a.md"
    prefect.answers = 200, [{"status": "OFFLINE"}]
    assert "penstock train library" in send(client, "b.md", b"text").json()["note"]
    asked = len(prefect.asked)
    notes = [client.get(f"/v1/documents/{told['id']}").json()["note"] for _ in range(3)]
    assert all("No worker" in note for note in notes) and len(prefect.asked) == asked  # known for some seconds
    client.request("DELETE", f"/v1/documents/{told['id']}")
    assert prefect.events[-1]["event"] == "penstock.documents.deleted"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((404, {"detail": "no pool"}), "No worker"),
        ((401, {"detail": "who?"}), "HTTP 401"),
        ((200, [{"name": "of a later Prefect"}]), "no Prefect of a known kind"),
        ((200, "text"), "no Prefect of a known kind"),
    ],
)
def test_an_odd_prefect_is_said_and_fails_no_upload(
    library: Open, prefect: Prefect, answers: tuple[int, Any], said: str
) -> None:
    prefect.answers = answers
    answer = send(library(prefect_url=prefect.url).client, "a.md", b"text")
    assert answer.status_code == 202 and said in answer.json()["note"]


def test_a_slow_prefect_holds_up_an_upload_for_a_moment_only(
    library: Open, prefect: Prefect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LIMIT_S", 0.5)
    prefect.delay = 0.4  # for each of the two calls
    client = library(prefect_url=prefect.url).client
    began = time.monotonic()
    answer = send(client, "a.md", b"text")
    assert answer.status_code == 202 and "cannot be reached" in answer.json()["note"]
    assert time.monotonic() - began < 1.5


def test_prefect_s_own_key_is_sent(library: Open, prefect: Prefect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:pass")
    basic = f"Basic {base64.b64encode(b'admin:pass').decode()}"
    library(prefect_url=prefect.url, prefect_headers=load().prefect_headers).client.post(
        "/v1/documents?name=a.txt", content=b"text"
    )
    assert {told for _, told in prefect.asked} == {basic}
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_1")
    assert load().prefect_headers == {"Authorization": "Bearer pnu_1"}
    assert "pnu_1" not in repr(library(prefect_headers=load().prefect_headers).desk.config)
