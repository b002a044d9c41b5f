"""Every document of a corpus read, each for itself: what cannot be read is reported, and stops nothing."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.artifacts import Artifact, Store, current
from tasks.documents import jobs
from tasks.documents.manifest import Corpus, Document
from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.pieces import Pieces, log, progress
from tasks.documents.pool import Result, Work, run
from tasks.errors import BadInput
from tasks.planning import closure

OCR = 3600.0  # more seconds for a document whose pages may all be pictures
SHOWN = 3


class Problem(BaseModel):
    """A document that could not be read, and why."""

    model_config = ConfigDict(frozen=True)

    document: str
    reason: str


class ParsedCorpus(BaseModel):
    """`artifact` holds a ParsedDocument per line, in the order of the manifest; `marks` counts documents by mark."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    documents: int
    pages: int
    problems: list[Problem]
    marks: dict[str, int]
    parsed_now: int
    seconds: float


def parse_corpus(manifest: Artifact, options: PageOptions) -> ParsedCorpus:
    """Read all documents; those read before under the same options and code are taken from the store.

    Raises BadInput where not one of them can be read.
    """
    started, store = time.monotonic(), current()
    corpus = Corpus.model_validate_json(store.read_bytes(manifest))
    known = Pieces(store, "parsed", options.model_dump(), closure("tasks.documents.parsers"))
    new = [document for document in corpus.documents if known.get(document.digest, _name(document)) is None]
    passing = dict(_parse_new(new, options, known, store))
    count, marks = Counter[str](), Counter[str]()
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parsed.jsonl"
        with path.open("wb") as file:
            for document in corpus.documents:
                piece = passing.get(document.path) or known.get(document.digest, _name(document))
                told = orjson.loads(piece or b"{}")
                if told.get("problem"):
                    problems.append(Problem(document=document.path, reason=told["problem"]))
                else:
                    count.update({"documents": 1, "pages": told["parsed"]["pages"]})
                    marks.update(told["parsed"]["marks"])
                line = {"path": document.path, "digest": document.digest, "tenant": document.tenant} | told
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        _refuse_nothing(corpus, problems)
        artifact = store.put_file("parsed", path, ".jsonl")
    return ParsedCorpus(
        artifact=artifact,
        documents=count["documents"],
        pages=count["pages"],
        problems=problems,
        marks=dict(sorted(marks.items())),
        parsed_now=len(new),
        seconds=round(time.monotonic() - started, 3),
    )


def _parse_new(
    documents: list[Document], options: PageOptions, known: Pieces, store: Store
) -> Iterator[tuple[str, bytes]]:
    """Read documents and keep each as soon as it is read; gives the problems that may be gone another time."""
    works = [
        Work(
            path=store.path(document.artifact),
            size=document.size,
            told={"name": _name(document), "options": options.model_dump()},
            more=OCR if options.ocr else 0.0,
        )
        for document in documents
    ]
    with progress("documents read", len(works), "pages") as count:
        for result in run(jobs.parse, works, preload=("tasks.documents.parsers",)):
            document = documents[result.number]
            told = _told(result)
            piece = orjson.dumps(told)
            if result.passing:
                yield document.path, piece
            else:
                known.put(piece, document.digest, _name(document))
            count(told["parsed"]["pages"] if told["parsed"] else 0)
            if told["problem"]:
                log.warning("%s: %s", document.path, told["problem"])


def _told(result: Result) -> dict[str, Any]:
    """The sandbox is not trusted: what it gives must be a Parsed."""
    if result.body is None:
        return {"parsed": None, "problem": result.problem}
    try:
        return {"parsed": Parsed.model_validate_json(result.body).model_dump(), "problem": None}
    except ValidationError:
        return {"parsed": None, "problem": "its reader gave something else than a document"}


def _name(document: Document) -> str:
    """The part of the path that a reader sees: a title may come from it."""
    return PurePosixPath(document.path).name


def _refuse_nothing(corpus: Corpus, problems: list[Problem]) -> None:
    if len(problems) < len(corpus.documents):
        return
    shown = "; ".join(f"{problem.document}: {problem.reason}" for problem in problems[:SHOWN])
    raise BadInput(f"Not one of the {len(problems)} documents of {corpus.dataset} can be read: {shown}")
