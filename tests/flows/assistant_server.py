"""A stand-in for an assistant's service: two models, and answers as the test tells it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAMES = ("desk", "desk-base")


@dataclass
class Told:
    """What is answered, and what was asked; `left` is set when a client hangs up."""

    url: str = ""
    assistant: bool = True
    key: str = ""
    status: int = 200
    pieces: list[str] = field(default_factory=lambda: ["At ", "\x1b[2Jten."])
    pause_s: float = 0.0
    trouble: str = ""  # told in the middle of the answer
    finish: str | None = "stop"
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    def refusal(self, key: str) -> int | None:
        self.keys.append(key)
        if not self.assistant:
            return 404
        return 401 if self.key and key != f"Bearer {self.key}" else None

    def events(self) -> Iterator[Any]:
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "v7"}

        def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
            return head | {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}

        for piece in self.pieces:
            yield chunk(piece)
            time.sleep(self.pause_s)
        if self.trouble:
            yield {"error": {"message": self.trouble}}
        elif self.finish:
            yield chunk("", self.finish) | {"penstock": {"why": ["loop"]}}


@contextmanager
def running() -> Iterator[Told]:
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/ready":
                return self.give(200, {"status": "ready"})
            if refused := told.refusal(self.headers["Authorization"]):
                return self.give(refused, {"error": {"message": "Refused."}})
            listed = [{"id": name, "object": "model", "created": 1, "owned_by": "penstock"} for name in NAMES]
            self.give(200, {"object": "list", "data": listed})

        def do_POST(self) -> None:
            told.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if refused := told.refusal(self.headers["Authorization"]) or (told.status != 200 and told.status):
                return self.give(refused, {"error": {"message": "Refused."}})
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                for event in told.events():
                    self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            except OSError:
                told.left.set()

        def give(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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
