"""Every document of a corpus read, each for itself: what cannot be read is reported, and stops nothing."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.artifacts import Artifact, Store, current
from tasks.documents import jobs
from tasks.documents.manifest import Corpus, Document
from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.pieces import Pieces, log, progress
from tasks.documents.pool import Limits, Result, Work, run
from tasks.documents.tesseract import ADVICE, Tesseract
from tasks.errors import BadInput, Unavailable
from tasks.planning import closure

OCR = 3600.0  # more seconds for a document whose pages may all be pictures
SHOWN, MOST_PAGES = 3, 10


class Problem(BaseModel):
    """A document that could not be read, and why."""

    model_config = ConfigDict(frozen=True)

    document: str
    reason: str


class ParsedCorpus(BaseModel):
    """`artifact` holds a ParsedDocument per line, in the order of the manifest; `marks` counts documents by mark.

    `passing` are the problems that may be gone another time: such a result stands for this run alone."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    documents: int
    pages: int
    problems: list[Problem]
    marks: dict[str, int]
    parsed_now: int
    seconds: float
    passing: list[str] = []
    notes: list[str] = []


def parse_corpus(manifest: Artifact, options: PageOptions, reader: Tesseract | None = None) -> ParsedCorpus:
    """Read all documents; those read before under the same options and code are taken from the store.

    `reader` is what `tesseract(options)` found: it reads pages that are only pictures.
    Raises BadInput where not one document can be read, Unavailable where this machine is to blame.
    """
    started, store = time.monotonic(), current()
    corpus = Corpus.model_validate_json(store.read_bytes(manifest))
    reading = Reading(options, reader)
    known = Pieces(store, "parsed", reading.key(), closure("tasks.documents.parsers"))
    new = [document for document in corpus.documents if known.get(document.digest, _name(document)) is None]
    passing = dict(_parse_new(new, reading, known, store))
    count, marks = Counter[str](), Counter[str]()
    problems, notes = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parsed.jsonl"
        with path.open("wb") as file:
            for document in corpus.documents:
                piece = passing.get(document.path) or known.get(document.digest, _name(document))
                told = orjson.loads(piece or b"{}")
                if told.get("problem"):
                    problems.append(Problem(document=document.path, reason=reason(document, told["problem"])))
                else:
                    count.update({"documents": 1, "pages": told["parsed"]["pages"]})
                    marks.update(told["parsed"]["marks"])
                    notes += unread(document.path, told["parsed"]["unread"])
                line = {"path": document.path, "digest": document.digest, "tenant": document.tenant} | told
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        _refuse_nothing(corpus, problems, len(passing))
        artifact = store.put_file("parsed", path, ".jsonl")
    seconds = round(time.monotonic() - started, 3)
    log.info("%d of %d documents read now in %.1f s", len(new), len(corpus.documents), seconds)
    return ParsedCorpus(
        artifact=artifact,
        documents=count["documents"],
        pages=count["pages"],
        problems=problems,
        marks=dict(sorted(marks.items())),
        passing=sorted(passing),
        notes=[*notes, *reading.notes(marks["image only"])],
        parsed_now=len(new),
        seconds=seconds,
    )


@dataclass(frozen=True)
class Reading:
    """What decides, beside its bytes and the code, how a document is read."""

    options: PageOptions
    reader: Tesseract | None

    def key(self) -> list[object]:
        reader = self.reader.model_dump(exclude={"folder"}) if self.reader else None
        return [self.options.model_dump(), reader, Limits().model_dump(), OCR]

    def told(self, name: str) -> dict[str, Any]:
        reader = self.reader.model_dump() if self.reader else None
        return {"name": name, "options": self.options.model_dump(), "reader": reader}

    def notes(self, pictures: int) -> list[str]:
        missing = self.options.ocr and self.reader is None and pictures
        who = "1 document has" if pictures == 1 else f"{pictures} documents have"
        return [f"{who} pages that are only pictures, left unread: {ADVICE}."] if missing else []


def unread(path: str, pages: list[int]) -> list[str]:
    """What to say about pages on which reading failed."""
    return [f"{path}: {len(pages)} of its pages could not be read: {some_pages(pages)}."] if pages else []


def reason(document: Document, problem: str) -> str:
    """A problem where the document is named already: a reader's sentence begins with its name."""
    name = f"{_name(document)} "
    return f"it {problem.removeprefix(name)}" if problem.startswith(name) else problem


def some_pages(pages: list[int]) -> str:
    return ", ".join(map(str, pages[:MOST_PAGES])) + (", …" if len(pages) > MOST_PAGES else "")


def _parse_new(documents: list[Document], reading: Reading, known: Pieces, store: Store) -> Iterator[tuple[str, bytes]]:
    """Read documents and keep each as soon as it is read; gives the problems that may be gone another time."""
    works = [
        Work(
            path=store.path(document.artifact),
            size=document.size,
            told=reading.told(_name(document)),
            more=OCR if reading.options.ocr else 0.0,
        )
        for document in documents
    ]
    readers = ["tasks.documents.parsers"]
    if any(document.path.lower().endswith(".pdf") for document in documents):
        readers.append("tasks.documents.pdf")
    with progress("documents read", len(works), "pages") as count:
        for result in run(jobs.parse, works, preload=readers):
            document = documents[result.number]
            told = _told(result)
            piece = orjson.dumps(told)
            if result.passing:
                yield document.path, piece
            else:
                known.put(piece, document.digest, _name(document))
            count(told["parsed"]["pages"] if told["parsed"] else 0)
            if told["problem"]:
                log.warning("%s: %s", document.path, reason(document, told["problem"]))


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


def _refuse_nothing(corpus: Corpus, problems: list[Problem], passing: int) -> None:
    if len(problems) < len(corpus.documents):
        return
    shown = "; ".join(f"{problem.document}: {problem.reason}" for problem in problems[:SHOWN])
    kind = Unavailable if passing else BadInput
    which = "The only document" if len(problems) == 1 else f"Not one of the {len(problems)} documents"
    can = "cannot" if len(problems) == 1 else "can"
    raise kind(f"{which} of {corpus.dataset} {can} be read: {shown}")
