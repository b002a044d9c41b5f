"""Local receivers of alerts: JSON over HTTP, and mail over SMTP."""

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What arrived; with `refusing` it answers 500."""

    url: str = ""
    refusing: bool = False
    taken: list[dict[str, Any]] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.taken]

    def waited(self, title: str, patience: float) -> dict[str, Any]:
        """The first message with this in its title, as soon as it arrives."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for one in list(self.taken):
                if title in one["title"]:
                    return one
            time.sleep(0.2)
        raise AssertionError(f"no {title!r} within {patience} s; there came: {self.titles}")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A server for Apprise URLs `json://...`."""
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not told.refusing:
                told.taken.append(json.loads(body))
            self.send_response(500 if told.refusing else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        told.url = f"json://127.0.0.1:{port}/"
        yield told


@contextmanager
def mailbox() -> Iterator[tuple[str, list[str]]]:
    """A server for Apprise URLs `mailto://...`: as much SMTP as a letter needs. Yields the URL and the letters."""
    letters: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    letters.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    with served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"mailto://127.0.0.1:{port}?from=penstock@example.org&to=team@example.org&mode=insecure", letters


@contextmanager
def served(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
