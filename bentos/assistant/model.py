"""An assistant release as the kit serves it: an engine that writes, and the embedding model beside it."""

from functools import partial
from pathlib import Path
from typing import Any

from bentos.assistant.vectors import Vectors
from bentos.kit.config import loading
from bentos.kit.handle import Handle, ReleaseFile
from bentos.kit.pieces import piece
from tasks.language.engines import Engine
from tasks.language.served import Release, Served, read_release
from tasks.language.upstream import Upstream


class Assistant:
    """One loaded version; `local`: it answers with a model of its own."""

    def __init__(self, served: Served, vectors: Vectors, local: bool = True) -> None:
        self.served, self.vectors, self.local = served, vectors, local
        self._heir: Handle[Assistant] | None = None

    @property
    def engine(self) -> Engine:
        return self.served.engine

    @property
    def llm(self) -> str | None:
        """The name of the model at another server that writes; None where it is our own."""
        return self.engine.model if isinstance(self.engine, Upstream) else None

    @property
    def release(self) -> Release:
        return self.served.release

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """A golden request, or a shadowed one: `private` where no text may be logged."""
        told = self.served.answer(request)
        return {"answer_chars": len(told["text"])} if request.get("private") else told

    def leave_to(self, heir: "Handle[Assistant]") -> None:
        """Let a version with the same engine close it, and not before this one ends."""
        self._heir = heir.__enter__()

    def close(self) -> None:
        if self._heir is None:
            self.served.close()
        else:
            self._heir.__exit__(None, None, None)


def load_assistant(folder: Path, release: ReleaseFile) -> Assistant:
    settings, find, told = loading(), partial(piece, folder), read_release(folder)
    vectors = Vectors(find(told.weights), told.weights.digest, settings.embed_threads)
    if settings.engine == "openai":
        release.golden.clear()  # another machine's arithmetic: its likeliest words may differ from those in training
        engine = Upstream(settings.upstream_model, settings.generation_timeout, settings.max_concurrency)
        return Assistant(Served(told, engine), vectors, local=False)
    return Assistant(Served.over(told, find(told.merged), settings.engine_threads), vectors)


def load_base(handle: Handle[Assistant]) -> Handle[Assistant]:
    """The model that the version was tuned from, to compare with; everything else is the version's."""
    model = handle.model
    where = piece(handle.folder, model.release.base)
    return _base(handle, Served.over(model.release, where, loading().engine_threads))


def same_base(base: Handle[Assistant], handle: Handle[Assistant]) -> Handle[Assistant]:
    """The base of another version as this version's, whose weights are the same: they are not loaded again."""
    found = _base(handle, Served(handle.model.release, base.model.engine))
    base.model.leave_to(found)
    return found


def _base(handle: Handle[Assistant], served: Served) -> Handle[Assistant]:
    model = Assistant(served, handle.model.vectors)
    return Handle(handle.folder, base_version(handle), handle.digest, handle.release, model, handle.tags)


def base_version(handle: Handle[Assistant]) -> str:
    return f"{handle.version}-base"
