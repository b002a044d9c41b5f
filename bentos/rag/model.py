"""A documents release as the kit serves it: questions, searches, the shelf of documents, images of cited pages."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from bentos.kit.config import IN_TIME, loading
from bentos.kit.handle import ReleaseFile
from bentos.kit.pieces import as_artifact, piece
from tasks.artifacts import Artifact
from tasks.documents.chunk_file import read_chunks
from tasks.errors import BadInput, NotFound
from tasks.retrieval.answers import Answer, Ask
from tasks.retrieval.generators import OpenAIGenerator
from tasks.retrieval.opening import server_of
from tasks.retrieval.served import Served
from tasks.retrieval.store import Filters, Hit

NOTHING = Filters(documents=("",))


@dataclass
class Facts:
    """What the index knows of one document."""

    title: str
    tenant: str
    revision: str
    pages: int = 0
    chunks: int = 0


class Rag:
    """One loaded version. Threads work with it longer than their requests last: the last one out closes it."""

    def __init__(
        self, folder: Path, dataset: str, served: Served, shelf: dict[str, Facts], images: dict[str, Any]
    ) -> None:
        self.folder, self.dataset, self.served, self.shelf, self.images = folder, dataset, served, shelf, images
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False

    def ask(self, ask: Ask) -> Answer:
        with self._used():
            return self.served.ask(ask)

    def stream(self, ask: Ask) -> Iterator[str | Answer]:
        """The answer's text as it grows, then the whole answer."""
        with self._used():
            yield from self.served.answerer.stream(ask)

    def search(self, query: str, top_k: int | None, filters: Filters) -> list[Hit]:
        with self._used():
            return self.served.search(query, top_k, filters)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """A golden or shadowed request; who asked is part of a shadowed one."""
        with self._used():
            return self.served.answer(request)

    @property
    def llm(self) -> str | None:
        """The name of the language model elsewhere that writes; None where the release needs none."""
        generator = self.served.generator
        return generator.model if isinstance(generator, OpenAIGenerator) else None

    def prompt(self, answer: Answer) -> list[dict[str, str]]:
        """What a language model was given to write the answer; nothing where none was asked."""
        generator = self.served.generator
        if not answer.calls or not isinstance(generator, OpenAIGenerator):
            return []
        return generator.prompt.answering(answer.asked, answer.found)

    def reach(self) -> None:
        """Unavailable or Refused where the index, which may be on a server, is out of reach."""
        with self._used():
            self.served.index.count(NOTHING)

    def image(self, document: str, page: int) -> tuple[Path, str]:
        """The rendered page and its digest; NotFound where it was not rendered."""
        artifact = as_artifact(self.images.get(document, {}).get(str(page)))
        if artifact is None:
            raise NotFound(f"There is no image of page {page} of {document!r}; only cited pages are rendered.")
        return piece(self.folder, artifact), artifact.digest

    def close(self) -> None:
        with self._lock:
            self._closed = True
            last = not self._users
        if last:
            self.served.close()

    @contextmanager
    def _used(self) -> Iterator[None]:
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                last = self._closed and not self._users
            if last:
                self.served.close()


class Snapshot(BaseModel):
    dataset: str


class Inputs(BaseModel):
    snapshot: Snapshot


class Parts(BaseModel):
    """What the service itself reads of a documents release."""

    inputs: Inputs
    chunks: Artifact
    pages: Artifact | None = None


def load_rag(folder: Path, release: ReleaseFile) -> Rag:
    try:
        parts = Parts.model_validate(release.model_extra)
    except ValidationError as error:
        said = error.errors()[0]
        raise BadInput(f"release.json in {folder} is no documents release: {said['loc']} {said['msg']}.") from None
    settings = loading()
    server = server_of(settings.qdrant)
    served = Served.load(folder, partial(piece, folder), settings.embed_threads, server)
    if isinstance(served.generator, OpenAIGenerator):
        served.generator.hurry(settings.request_timeout * IN_TIME)
    return Rag(folder, parts.inputs.snapshot.dataset, served, shelf(folder, parts.chunks), images(folder, parts.pages))


def shelf(folder: Path, chunks: Artifact) -> dict[str, Facts]:
    """The indexed documents by path."""
    found: dict[str, Facts] = {}
    for chunk in read_chunks(piece(folder, chunks)):
        facts = found.setdefault(chunk.document, Facts(chunk.title, chunk.tenant, chunk.revision))
        facts.pages = max(facts.pages, chunk.last_page)
        facts.chunks += 1
    return found


def images(folder: Path, pages: Artifact | None) -> dict[str, Any]:
    return dict(orjson.loads(piece(folder, pages).read_bytes())) if pages else {}
