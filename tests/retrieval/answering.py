"""Small real parts for tests of answers: an embedder over letters, an index in memory, a server that streams."""

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, cast

import numpy as np

from tasks.documents.chunk_file import Chunk
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.search import Searcher
from tasks.retrieval.specs import SearchOptions
from tasks.retrieval.store import Filters, Hit, Vector
from tasks.retrieval.words import stems
from tests.retrieval.pieces import chunk

DIM = 512
PROMPT = 500  # tokens that the server says it read


class Letters:
    """Stems and their three-letter parts, hashed: near in spelling is near in meaning."""

    dim, digest = DIM, "letters"

    def query(self, text: str) -> Vector:
        vector = np.full(DIM, 1e-6, dtype=np.float32)
        for word in stems(text):
            for part in [word, *(word[at : at + 3] for at in range(len(word) - 2))]:
                vector[zlib.crc32(part.encode()) % DIM] += 1
        return np.asarray(vector / np.linalg.norm(vector))

    def passages(self, texts: Sequence[str]) -> Iterator[Vector]:
        return (self.query(text) for text in texts)


class Memory:
    """All chunks compared with the question, one by one."""

    dim, model = DIM, "letters"

    def __init__(self, chunks: list[Chunk]) -> None:
        self.chunks = chunks
        self.vectors = [Letters().query(one.embedded) for one in chunks]

    def search(self, dense: Vector | None, text: str | None, filters: Filters, limit: int, prefetch: int) -> list[Hit]:
        assert dense is not None
        hits = [
            Hit(chunk=one, score=float(dense @ vector), cosine=float(dense @ vector))
            for one, vector in zip(self.chunks, self.vectors, strict=True)
            if filters.tenants is None or one.tenant in filters.tenants
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    def count(self, filters: Filters) -> int:
        return len(self.chunks)

    def close(self) -> None: ...


def searcher(*chunks: Chunk, top_k: int = 5) -> Searcher:
    return Searcher(Memory(list(chunks)), cast(Embedder, Letters()), SearchOptions(top_k=top_k))


def hit(document: str, text: str, heading: str = "", title: str = "", cosine: float = 0.5, number: int = 0) -> Hit:
    return Hit(chunk=chunk(document, number, text, heading, title), score=cosine, cosine=cosine)


@contextmanager
def chat(pieces: Sequence[str], status: int = 200, stall: bool = False) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The base URL of a server that streams `pieces` as chat completions, and the requests it was sent."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if stall:
                self.connection.settimeout(5)
                self.connection.recv(1)  # until the client gives up
                return
            self.send_response(status if self.path == "/v1/chat/completions" else 404)
            self.send_header("Content-Type", "text/event-stream" if status == 200 else "application/json")
            self.end_headers()
            if status != 200:
                self.wfile.write(b'{"error": {"message": "out of order"}}')
                return
            event: dict[str, Any] = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
            for piece in pieces:
                event["choices"] = [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()
            if asked[-1].get("stream_options"):
                told = {"prompt_tokens": PROMPT, "completion_tokens": len(pieces), "total_tokens": PROMPT + len(pieces)}
                event |= {"choices": [], "usage": told}
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
