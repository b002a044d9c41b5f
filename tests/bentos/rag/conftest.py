"""A small documents release with real parts, and the service around it."""

import hashlib
import json
import shutil
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.errors import CODES
from bentos.kit.keys import Key, Keys
from bentos.rag import routes
from bentos.rag.model import Rag, load_rag
from tasks import artifacts
from tasks.artifacts import sha256
from tasks.documents.chunk_file import Chunk
from tasks.retrieval.building import build
from tasks.retrieval.prompts import Prompt, write_prompt
from tasks.retrieval.vectors import embed_chunks
from tasks.retrieval.weights import export
from tests.bentos.conftest import Client
from tests.bentos.test_predict import refused as by_schema
from tests.retrieval import tiny

LAKE = "The deepest lake of the valley holds trout."
QUESTION = "When does the library open on Sunday?"
TEXTS = {
    ("guide.pdf", ""): [
        ("Opening hours", "The library opens at ten on Sunday and closes at noon. On weekdays it opens at eight."),
        ("Borrowing", "A book may be borrowed for four weeks. Late books cost twenty cents a day."),
    ],
    ("notes/rooms.md", ""): [("Rooms", "The reading room seats forty people. Silence is kept in the reading room.")],
    ("acme/salary.md", "acme"): [("Pay", "The zebra salary of acme is paid on the last Friday of the month.")],
    ("beta/plan.md", "beta"): [("Plan", "The walrus plan of beta begins in the autumn with two teams.")],
}


def chunks(version: int = 1, extra: tuple[str, str] | None = None) -> list[Chunk]:
    """The chunks of TEXTS; `extra` is the path and revision of a document that was uploaded."""
    made: list[Chunk] = []
    for (document, tenant), parts in TEXTS.items():
        for number, (heading, text) in enumerate(parts):
            facts: dict[str, Any] = {
                "document": document, "tenant": tenant, "heading": [heading], "title": document.rpartition("/")[2],
                "page": number + 1, "last_page": number + 1, "revision": sha256(document.encode()),
                "date": "2024-05-01" if document == "guide.pdf" else None, "language": "en",
            }  # fmt: skip
            made.append(tiny.chunk(len(made), f"{text} Version {version}." if version > 1 else text, **facts))
    if extra:
        made.append(tiny.chunk(len(made), LAKE, document=extra[0], revision=extra[1], title="lake.md"))
    return made


def png() -> bytes:
    """One grey pixel."""

    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    image = zlib.compress(b"\x00\x80")
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", image) + part(b"IEND", b"")


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = tmp_path_factory.mktemp("raw")
    tiny.write_model(raw)
    with artifacts.opened(tmp_path_factory.mktemp("weights")) as store:
        return store.path(export(tiny.put_raw(raw), tiny.NAME, "fp32"))


def write_rag(
    folder: Path, store_root: Path, weights_folder: Path, version: int = 1, extra: tuple[str, str] | None = None
) -> Path:
    """A release of kind documents in `folder`, its artifacts in the store."""
    folder.mkdir(parents=True)
    with artifacts.opened(store_root) as store:
        weights = tiny.put_weights(weights_folder)
        cut = tiny.put_chunks(chunks(version, extra))
        index = build(cut, embed_chunks(cut, weights))
        image = store.put_bytes("pages", png(), ".png")
        text = store.put_bytes("pages", b"<script>", ".png")
        pages = {
            "guide.pdf": {"1": image.model_dump(), "2": text.model_dump()},
            "acme/salary.md": {"1": image.model_dump()},
        }
        found = store.put_json("pages", pages)
    write_prompt(folder, Prompt())
    told = {
        "schema_version": 1, "release": "library", "kind": "documents", "key": "k" * 64,
        "input_schema": [], "output_schema": "documents/1", "golden": [], "metrics": {},
        "inputs": {"snapshot": {"dataset": "library-guides"}},
        "files": {"prompt.json": artifacts.file_sha256(folder / "prompt.json")},
        "index": index.model_dump(), "weights": weights.model_dump(), "chunks": cut.model_dump(),
        "pages": found.model_dump(), "search": {}, "answers": {}, "threshold": 0.8,
    }  # fmt: skip
    (folder / "release.json").write_text(json.dumps(told))
    return folder


@dataclass
class Library:
    """A started service in this process."""

    client: Client
    desk: Desk[Rag]

    def ask(self, question: str = QUESTION, **more: Any) -> Any:
        options = {"headers": more.pop("headers")} if "headers" in more else {}
        return self.client.post("/v1/ask", json={"question": question, **more}, **options)


Open = Callable[..., Library]


@pytest.fixture(scope="session")
def shipped(weights_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `release` and the `store` of its artifacts."""
    root = tmp_path_factory.mktemp("shipped")
    write_rag(root / "release", root / "store", weights_folder)
    return root


@pytest.fixture
def release(data_root: Path, shipped: Path) -> Path:
    """The release, its artifacts in the test's own store."""
    shutil.copytree(shipped / "store", data_root / "store")
    return shipped / "release"


@pytest.fixture
def library(data_root: Path, release: Path) -> Iterator[Open]:
    """Start the document service with the given Config fields; it ends with the test."""
    running: list[Client] = []

    def start(**given: Any) -> Library:
        known: dict[str, Any] = {
            "root": data_root,
            "store": str(data_root / "store"),
            "folder": release,
            "poll_s": 0.05,
        }
        # nobody listens there
        known |= {"prefect_url": "http://127.0.0.1:9/api", "mlflow_url": "http://127.0.0.1:9"}
        desk = Desk(load_rag, Config(**(known | given)))
        running.append(Client(routes.app(desk), desk))
        return Library(running[-1], desk)

    yield start
    for client in running:
        client.stop()


@pytest.fixture
def broken(library: Open) -> Iterator[Any]:
    """A service whose generator does as the test tells it: it stands in for a language model on another machine."""
    service = library(timeout_s=0.6)
    generator = service.desk.serving().model.served.answerer

    class Told:
        def __init__(self) -> None:
            self.pieces: list[Any] = []

        def standalone(self, question: str, _turns: Any, _spent: Any) -> str:
            return question

        def answer(self, _question: str, _hits: Any, _spent: Any) -> Iterator[str]:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, float):
                    time.sleep(piece)
                else:
                    yield piece

    generator.generator = told = Told()
    yield service, told


def keys(**tenants: str) -> Keys:
    """A key of each name with all scopes: the key itself is the name."""
    scopes = frozenset({"ask", "documents", "read", "feedback"})
    return Keys(
        [
            Key(name=n, sha256=hashlib.sha256(n.encode()).hexdigest(), scopes=scopes, tenant=t)
            for n, t in tenants.items()
        ]
    )


def refused(answer: Any, status: int, code: str | None = None) -> Any:
    """In the one error schema, by the status's usual code where no other is named."""
    return by_schema(answer, status, code or CODES[status])


def by(name: str) -> dict[str, str]:
    return {"X-API-Key": name}


def events(text: str) -> list[tuple[str, Any]]:
    """Server-sent events as a client reads them."""
    found = []
    for block in text.strip().split("\n\n"):
        name, data = (line.partition(": ")[2] for line in block.split("\n"))
        found.append((name, json.loads(data)))
    return found
