"""A documents release as it is served: from its folder and the artifacts that it names to answers."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput
from tasks.retrieval.answerable import DEFAULT_THRESHOLD
from tasks.retrieval.answers import Answer, Answerer, Ask
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.extractive import Extractive
from tasks.retrieval.generators import Generator, OpenAIGenerator
from tasks.retrieval.opening import Server, open_index
from tasks.retrieval.prompts import read_prompt
from tasks.retrieval.search import Searcher
from tasks.retrieval.specs import AnswerOptions, SearchOptions
from tasks.retrieval.store import Filters, Hit, Index

DOCUMENTS = 3  # that a golden answer names


class Release(BaseModel):
    """The parts of `release.json` that decide an answer; `threshold` was fitted, `answers.threshold` is asked for."""

    model_config = ConfigDict(frozen=True)

    release: str
    index: Artifact
    weights: Artifact
    rerank: Artifact | None = None
    search: SearchOptions = SearchOptions()
    answers: AnswerOptions = AnswerOptions()
    threshold: float | None = None

    @property
    def bound(self) -> float:
        asked = self.answers.threshold
        fitted = DEFAULT_THRESHOLD if self.threshold is None else self.threshold
        return fitted if asked is None else asked


class Served:
    """Loaded once, then read by any number of threads."""

    def __init__(self, index: Index, generator: Generator, answerer: Answerer, proven: Answerer) -> None:
        self.index, self.generator, self.answerer, self.proven = index, generator, answerer, proven

    @classmethod
    def load(
        cls, folder: Path, piece: Callable[[Artifact], Path], threads: int = 1, server: Server | None = None
    ) -> Self:
        """The release in `folder`; `piece` finds the artifacts that it names. BadInput where it is none.

        With a Qdrant `server` its index is the collection there."""
        release = read_release(folder)
        return cls.over(open_index(release.release, release.index, piece, server), release, piece, threads)

    @classmethod
    def over(cls, index: Index, release: Release, piece: Callable[[Artifact], Path], threads: int = 1) -> Self:
        """The other parts of a release over an opened index, which is closed where they do not load."""
        refusal = release.answers.prompt.refusal
        try:
            embedder = Embedder(piece(release.weights), release.weights.digest, threads)
            cross = piece(release.rerank) if release.rerank else None
            searcher = Searcher(index, embedder, release.search, cross, threads)
            generator = made_generator(release.answers, embedder)
        except BaseException:
            index.close()
            raise
        proof = Extractive(embedder, refusal)
        answerer, proven = (Answerer(searcher, one, release.bound, refusal) for one in (generator, proof))
        return cls(index, generator, answerer, proven)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """A golden request: whether it is answered, and the first documents that the answer rests on.

        Always extractive: what is tested is the index, and a language model is neither at hand nor the same twice."""
        found = self.proven.ask(asked(request))
        return {"answered": found.answered, "documents": cited(found)[:DOCUMENTS]}

    def ask(self, ask: Ask) -> Answer:
        return self.answerer.ask(ask)

    def search(self, query: str, top_k: int | None = None, filters: Filters | None = None) -> list[Hit]:
        return self.answerer.searcher.search(query, top_k, filters)

    def close(self) -> None:
        self.index.close()
        if isinstance(self.generator, OpenAIGenerator):
            self.generator.close()


@contextmanager
def answering(folder: Path, store: Store) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """The release in `folder`, its large parts taken from the store, ready for golden requests."""
    with closing(Served.load(folder, store.path, 2)) as served:
        yield served.answer


def made_generator(options: AnswerOptions, embedder: Embedder) -> Generator:
    if options.generator == "openai":
        return OpenAIGenerator(options.model, options.prompt)
    return Extractive(embedder, options.prompt.refusal)


def cited(answer: Answer) -> list[str]:
    """The documents that an answer cites, each once."""
    return list(dict.fromkeys(citation.document for citation in answer.citations))


def asked(request: dict[str, Any]) -> Ask:
    try:
        return Ask.model_validate(request)
    except ValidationError as error:
        raise BadInput(f"The request is no question: {error.errors()[0]['msg']}.") from None


def read_release(folder: Path) -> Release:
    """The release in `folder`, with its prompt, which is a file of its own."""
    try:
        release = Release.model_validate(orjson.loads((folder / "release.json").read_bytes()))
    except FileNotFoundError:
        raise BadInput(f"The folder {folder} has no release.json; name the folder of a release.") from None
    except ValueError as error:
        said = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        raise BadInput(f"{folder}/release.json is no documents release: {said['loc']} {said['msg']}.") from None
    answers = release.answers.model_copy(update={"prompt": read_prompt(folder)})
    return release.model_copy(update={"answers": answers})
