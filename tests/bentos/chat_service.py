"""A small service behind the chat page: the routes of a documents service, answered from what tests have planted."""

import asyncio
import json
import struct
import threading
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bentos.kit import page
from bentos.kit.app import Operation, answer, create_app, request_id
from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.errors import Problem
from bentos.kit.keys import Key, Keys
from bentos.kit.openapi import Described
from bentos.kit.shell import Shell
from tasks.artifacts import sha256

KEYS = Keys([Key(name="shop", sha256=sha256(b"two"), scopes=frozenset({"read", "ask", "feedback"}))])
GUIDE = "guides/regulations.pdf"
EVIL = '<img src=x onerror="document.title=1">'
ABSENT = "This is not in the documents."


def citation(number: int, document: str, first: int, last: int, heading: str, snippet: str) -> dict[str, Any]:
    place = {"number": number, "document": document, "page": first, "last_page": last}
    return place | {"heading": heading, "snippet": snippet, "score": 0.8}


LATE = citation(
    1,
    GUIDE,
    7,
    7,
    "Assessment > Late submission",
    "Work handed in after the deadline loses 5 marks for each day.\nNothing is accepted after seven days.",
)
ILL = citation(2, "guides/illness.md", 1, 1, "Illness", "A certificate moves the deadline by the days of illness.")
LONG = citation(3, GUIDE, 9, 10, "Assessment > Appeals", "An appeal is made in writing within ten days.")
HOSTILE = citation(1, f"guides/{EVIL}.pdf", 2, 2, EVIL, f"{EVIL}<script>document.title=2</script>")
# what a question that holds the word is answered with; "slowly" and "break" are told apart in `events`
PLANTED: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "late": (
        "Work handed in late loses 5 marks for each day after the deadline, "
        "and nothing is accepted after seven days [1].\n\n"
        "Illness with a certificate moves the deadline [2]; whoever disagrees can appeal within ten days [3].",
        [LATE, ILL, LONG],
    ),
    "evil": (f"{EVIL}<script>document.title=3</script> [1] [9] <b>bold</b>", [HOSTILE]),
    "slowly": ("water " * 200, []),
    "bees": ("a" + "\N{HONEYBEE}" * 1100, []),
    "break": ("The beginning of", []),
}


@dataclass
class Planted:
    """What the service was sent, and the documents it holds."""

    asked: list[list[dict[str, str]]] = field(default_factory=list)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    looked: int = 0

    def reply(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        self.asked.append(messages)
        question = messages[-1]["content"]
        text, found = next((told for word, told in PLANTED.items() if word in question), (ABSENT, []))
        if "that" in question and len(messages) > 1:
            text, found = f"You first asked: {messages[0]['content']} [1]", [LATE]
        return {"answered": text != ABSENT, "answer": text, "citations": found}

    def answer(self, request: Any) -> dict[str, Any]:
        return self.reply([{"role": "user", "content": request["question"]}])

    def close(self) -> None:
        """Nothing is held."""


async def events(reply: dict[str, Any], question: str) -> AsyncIterator[bytes]:
    def event(name: str, data: Any) -> bytes:
        return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()

    for start in range(0, len(reply["answer"]), 6):
        await asyncio.sleep(0.05 if "slowly" in question else 0.002)
        yield event("delta", {"text": reply["answer"][start : start + 6]})
    if "break" in question:
        yield event("error", {"error": {"message": "The index went away.", "request_id": "r-1"}})
    else:
        yield event("done", reply)


def ask(desk: Desk[Planted]) -> page.Handler:
    async def ask(request: Request) -> Response:
        body = orjson.loads(await request.body())
        handle = desk.serving()
        reply = handle.model.reply(body["messages"]) | {"version": handle.version, "request_id": request_id(request)}
        if not body["stream"]:
            return answer(reply)
        return StreamingResponse(events(reply, body["messages"][-1]["content"]), media_type="text/event-stream")

    return ask


def upload(desk: Desk[Planted]) -> page.Handler:
    async def upload(request: Request) -> Response:
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            name, data = file.filename or "", await file.read()
        if not data:
            raise Problem(422, f"{name} is empty; upload a file that holds something.")
        held = desk.serving().model.documents
        held[f"u{len(held)}"] = told = known(f"uploads/{name}", "pending", f"u{len(held)}")
        return answer(told)

    return upload


def known(path: str, status: str, identity: str | None = None) -> dict[str, Any]:
    one = {"id": identity, "path": path, "name": path.split("/")[-1], "title": "", "status": status, "reason": None}
    return one | {"uploaded": bool(identity), "pages": 3 if path.endswith("pdf") else None, "note": None}


def documents(desk: Desk[Planted]) -> list[Operation]:
    def find(request: Request) -> dict[str, Any]:
        try:
            return desk.serving().model.documents[request.path_params["id"]]
        except KeyError:
            raise Problem(404, "There is no such document.") from None

    async def shelf(_request: Request) -> Response:
        held = list(desk.serving().model.documents.values())
        return answer({"documents": held, "total": len(held), "version": "1"})

    async def state(request: Request) -> Response:
        """Pending when it is first looked at, indexed from then on."""
        told, model = find(request), desk.serving().model
        model.looked += 1
        if model.looked > 1:
            told["status"] = "indexed"
        return answer(told)

    async def delete(request: Request) -> Response:
        del desk.serving().model.documents[find(request)["id"]]
        return answer({"status": "deleted", "note": "The next release answers without it."})

    async def image(request: Request) -> Response:
        if not request.query_params["document"].endswith(".pdf"):
            raise Problem(404, "This document has no page images.")
        return Response(picture(100 + int(request.query_params["page"]), 140), media_type="image/png")

    return [
        Operation("GET", "/v1/documents", shelf, "List", "read", ""),
        Operation("POST", "/v1/documents", upload(desk), "Upload", "write", ""),
        Operation("GET", "/v1/documents/{id}", state, "State", "read", ""),
        Operation("DELETE", "/v1/documents/{id}", delete, "Delete", "write", ""),
        Operation("GET", "/v1/pages", image, "A page", "read", ""),
    ]


def picture(width: int, height: int) -> bytes:
    """A grey PNG; its width tells which page it is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xdd" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write_release(folder: Path) -> Path:
    folder.mkdir(parents=True)
    told = {"release": "course-search", "kind": "documents", "files": {}}
    (folder / "release.json").write_text(json.dumps(told))
    return folder


@contextmanager
def running(root: Path, keys: Keys | None = None) -> Iterator[tuple[str, Planted]]:
    """The service on a port of its own: its address, and what it was sent."""
    planted = Planted(documents={"": known(GUIDE, "indexed"), " ": known(f"guides/{EVIL}.pdf", "indexed")})
    config = Config(
        root=root / "var",
        store=str(root / "var/store"),
        folder=write_release(root / "release"),
        keys=keys or Keys([]),
    )
    desk = Desk(lambda _folder, _release: planted, config)
    asking = Operation("POST", "/v1/ask", ask(desk), "Ask", "ask", "", "Question")
    app = create_app(
        desk, "Stand-in", [*page.operations(desk), asking, *documents(desk)], lambda _handle: Described({})
    )
    server = uvicorn.Server(uvicorn.Config(Shell(app, desk), port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", planted
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Planted]]:
    with running(tmp_path_factory.mktemp("open")) as told:
        yield told


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Planted]]:
    with running(tmp_path_factory.mktemp("locked"), KEYS) as told:
        yield told
