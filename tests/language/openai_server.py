"""A server that speaks OpenAI's API as far as our clients ask for it, and answers as the test tells it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Told:
    """What is answered, and what was asked; `left` is set when a client hangs up."""

    url: str = ""
    models: tuple[str, ...] = ("desk", "desk-base")
    key: str = ""  # without it everybody is let in
    pieces: list[str] = field(default_factory=lambda: ["The library ", "opens ", "at ten."])
    status: int = 200
    trouble: str = ""  # told in the midst of the answer
    finish: str | None = "stop"
    why: tuple[str, ...] = ()  # as our service tells it beside `finish`
    pause_s: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def refused(self, shown: str) -> int:
        """The status of a refusal; 0: let in."""
        self.keys.append(shown)
        return 401 if self.key and shown != f"Bearer {self.key}" else 0


HEAD = {"id": "1", "object": "chunk", "created": 1, "model": "m", "system_fingerprint": "v7"}


def chunk(path: str, text: str, finish: str | None) -> dict[str, Any]:
    said: dict[str, Any] = {"delta": {"content": text}} if "chat" in path else {"text": text}
    return HEAD | {"choices": [{"index": 0, "finish_reason": finish, **said}]}


class Handler(BaseHTTPRequestHandler):
    told: Told

    def do_GET(self) -> None:
        if self.path == "/ready":
            return self.give(200, {"status": "ready"})
        if not self.told.models:
            return self.refuse(404)
        if refused := self.told.refused(self.headers["Authorization"]):
            return self.refuse(refused)
        data = [{"id": name, "object": "model", "created": 1, "owned_by": "penstock"} for name in self.told.models]
        self.give(200, {"object": "list", "data": data})

    def do_POST(self) -> None:
        self.told.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if refused := self.told.refused(self.headers["Authorization"]) or (
            self.told.status if self.told.status != 200 else 0
        ):
            return self.refuse(refused)
        self.head(200, "text/event-stream")
        try:
            self.stream()
        except OSError:
            self.told.left.set()

    def stream(self) -> None:
        for piece in self.told.pieces:
            self.send(chunk(self.path, piece, None))
            time.sleep(self.told.pause_s)
        if self.told.trouble:
            self.send({"error": {"message": self.told.trouble}})
        elif self.told.finish:
            self.send(
                chunk(self.path, "", self.told.finish) | ({"penstock": {"why": self.told.why}} if self.told.why else {})
            )
            usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
            self.send(HEAD | {"choices": [], "usage": usage})
            self.wfile.write(b"data: [DONE]\n\n")

    def send(self, value: Any) -> None:
        self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())

    def refuse(self, status: int) -> None:
        self.give(status, {"error": {"message": f"refused with {status}"}})

    def give(self, status: int, value: Any) -> None:
        self.head(status, "application/json")
        self.wfile.write(json.dumps(value).encode())

    def head(self, status: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def running() -> Iterator[Told]:
    told = Told()

    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"told": told}))
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
