"""A server that speaks OpenAI's API as far as an engine asks for it, and answers as the test tells it."""

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
    pieces: list[str] = field(default_factory=lambda: ["The library ", "opens ", "at ten."])
    status: int = 200
    finish: str | None = "stop"
    pause_s: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)


def chunk(path: str, text: str, finish: str | None) -> dict[str, Any]:
    said: dict[str, Any] = {"delta": {"content": text}} if "chat" in path else {"text": text}
    return {"id": "1", "object": "chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "finish_reason": finish, **said}]}  # fmt: skip


@contextmanager
def running() -> Iterator[Told]:
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(told.status)
            self.send_header("Content-Type", "text/event-stream" if told.status == 200 else "application/json")
            self.end_headers()
            if told.status != 200:
                self.wfile.write(json.dumps({"error": {"message": f"refused with {told.status}"}}).encode())
                return
            try:
                self.stream()
            except OSError:
                told.left.set()

        def stream(self) -> None:
            for piece in told.pieces:
                self.send(chunk(self.path, piece, None))
                time.sleep(told.pause_s)
            if told.finish:
                self.send(chunk(self.path, "", told.finish))
                usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
                self.send({"id": "1", "object": "chunk", "created": 1, "model": "m", "choices": [], "usage": usage})
                self.wfile.write(b"data: [DONE]\n\n")

        def send(self, value: Any) -> None:
            self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
            self.wfile.flush()

        def log_message(self, *_arguments: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
