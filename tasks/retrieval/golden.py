"""Golden questions: what a documents release is asked, and where the answer stands."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.artifacts import Artifact, current
from tasks.documents.chunk_file import Chunk, read_chunks
from tasks.errors import BadInput
from tasks.retrieval.words import language_named
from tasks.retrieval.words import words as written
from tasks.sources.yamls import build, find, read_mapping

FEWEST_ANSWERABLE = 2  # below, no interval can be told
ENOUGH = 0.8  # of a quote's words, in their order, make a chunk the place


class Question(BaseModel):
    """`quote` stands in `document` and answers the question; an unanswerable question has neither.

    `answer` holds the words that a right answer contains; `follows` the user's earlier questions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    document: str | None = None
    quote: str | None = None
    answer: str | None = None
    answerable: bool = True
    follows: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Question":
        if self.answerable and not self.document:
            raise ValueError(f"question {self.id!r} names no document; name it, or say `answerable: false`")
        if not self.answerable and (self.document or self.quote or self.answer):
            raise ValueError(f"question {self.id!r} is not answerable, so it can have no document, quote or answer")
        if self.quote is not None and not words(self.quote):
            raise ValueError(f"question {self.id!r} has a quote without words")
        return self


class Questions(BaseModel):
    """The file of golden questions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    questions: tuple[Question, ...] = Field(min_length=1)


class Stale(BaseModel):
    """A question that the corpus no longer holds the place of."""

    model_config = ConfigDict(frozen=True)

    id: str
    why: str


class Asked(BaseModel):
    """What is asked of every version: `artifact` holds the questions; `stale` ones are told and left out.

    `wordless` are languages of the corpus whose words cannot be compared."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    answerable: int
    unanswerable: int
    proposed: bool
    stale: tuple[Stale, ...] = ()
    wordless: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """Sentences for the one who trains."""
        told = [f"question {stale.id} is left out: {stale.why}" for stale in self.stale]
        if self.wordless:
            told.append(f"there are no stop words for {', '.join(self.wordless)}: the cosine alone decides on answers")
        who = "proposed questions, no person has written golden ones" if self.proposed else "golden questions"
        return [f"judged on {self.answerable} answerable and {self.unanswerable} unanswerable {who}", *told]


def load_golden(name: str, folders: Iterable[Path]) -> tuple[Question, ...]:
    """The questions of `<folder>/golden/<name>.yaml`; the first folder that has it wins."""
    path = find("golden", name, folders)
    questions = build(Questions, read_mapping(path), path).questions
    counted = Counter(question.id for question in questions)
    if twice := sorted(name for name, times in counted.items() if times > 1):
        raise BadInput(f"{path} has several questions with the id {', '.join(twice)}; give each its own.")
    return questions


def settle(questions: tuple[Question, ...], chunks: Artifact, proposed: bool = False) -> Asked:
    """The questions that can be asked of this corpus.

    A place is looked up in the whole document, not in its chunks: bad chunks must fail questions, not remove them."""
    pieces = read_chunks(current().path(chunks))
    texts = document_words(pieces)
    told = [(question, why_stale(question, texts)) for question in questions]
    kept = [question for question, why in told if why is None]
    answerable = sum(question.answerable for question in kept)
    if answerable < FEWEST_ANSWERABLE:
        stale = "; ".join(f"{question.id}: {why}" for question, why in told if why)
        raise BadInput(_too_few(answerable, proposed, stale))
    body = {"schema_version": 1, "proposed": proposed, "questions": [one.model_dump(mode="json") for one in kept]}
    return Asked(
        artifact=current().put_json("questions", body),
        answerable=answerable,
        unanswerable=len(kept) - answerable,
        proposed=proposed,
        stale=tuple(Stale(id=question.id, why=why) for question, why in told if why is not None),
        wordless=tuple(sorted(code for code in {piece.language for piece in pieces} if language_named(code) is None)),
    )


def read_questions(artifact: Artifact) -> tuple[tuple[Question, ...], bool]:
    """The questions, and whether they were proposed by a program."""
    body = current().read_json(artifact)
    return Questions.model_validate({"questions": body["questions"]}).questions, bool(body["proposed"])


def words(text: str) -> list[str]:
    """Words without case and punctuation: what a quote is compared by."""
    return [word.casefold() for word in written(text)]


def holds(text: list[str], quote: list[str]) -> bool:
    """Whether the text has the quote, or at least four fifths of its words in order and close together."""
    joined, wanted = f" {' '.join(text)} ", f" {' '.join(quote)} "
    if wanted in joined:
        return True
    known = set(quote)
    if sum(word in known for word in text) < ENOUGH * len(quote) or len(quote) < 5:
        return False
    span = 2 * len(quote)
    starts = [place for place, word in enumerate(text) if word in known]
    return any(_in_order(text[start : start + span], quote) >= ENOUGH * len(quote) for start in starts)


def document_words(chunks: list[Chunk]) -> dict[str, list[str]]:
    """The words of each document, the overlap of neighbouring chunks taken once."""
    texts: dict[str, list[str]] = defaultdict(list)
    for document, group in groupby(chunks, key=lambda chunk: chunk.document):
        for chunk in sorted(group, key=lambda chunk: chunk.number):
            text, more = texts[document], words(chunk.text)
            texts[document] = text + more[_overlap(text, more) :]
    return texts


def _overlap(before: list[str], after: list[str]) -> int:
    return next((size for size in range(min(len(before), len(after)), 0, -1) if before[-size:] == after[:size]), 0)


def _too_few(answerable: int, proposed: bool, stale: str) -> str:
    if proposed:
        return (
            f"Only {answerable} answerable questions could be proposed from the documents, which gave too few; at "
            f"least {FEWEST_ANSWERABLE} are needed. Write some into data/golden/NAME.yaml (or golden/ in the project's "
            "folder) and put `golden: NAME` into the recipe, or add documents."
        )
    return (
        f"Only {answerable} answerable golden questions fit this corpus; at least {FEWEST_ANSWERABLE} are needed. "
        f"{stale or 'Add some.'}"
    )


def why_stale(question: Question, texts: dict[str, list[str]]) -> str | None:
    """Why a question cannot be asked of these documents, given as words by path; None where it can."""
    if question.document is None:
        return None
    if question.document not in texts:
        return f"there is no document {question.document!r} in the corpus"
    if question.quote is not None and not holds(texts[question.document], words(question.quote)):
        return f"its quote is not in {question.document!r} any more"
    return None


def _in_order(text: list[str], quote: list[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(quote) + 1)
    for word in text:
        before = 0
        for place, wanted in enumerate(quote, start=1):
            before, row[place] = row[place], before + 1 if word == wanted else max(row[place], row[place - 1])
    return row[-1]
