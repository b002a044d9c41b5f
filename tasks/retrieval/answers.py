"""A question, or a conversation that ends in one, to an answer that cites only what was retrieved."""

from collections.abc import Iterator
from time import perf_counter
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.retrieval.answerable import DEFAULT_THRESHOLD, best, confidence
from tasks.retrieval.citations import Citation, Numbering
from tasks.retrieval.generators import Generator, Turn
from tasks.retrieval.openai_chat import Spent
from tasks.retrieval.prompts import NOT_FOUND
from tasks.retrieval.search import Searcher
from tasks.retrieval.store import Filters, Hit

WIDER = 20  # hits that are looked at for what the question names, before the best are read
TURNS = 10  # of a long conversation the last ones say what a follow-up means


class Message(BaseModel):
    """One turn; what an assistant is said to have said is only read to understand the question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["user", "assistant"]
    content: str


class Ask(BaseModel):
    """A `question`, or `messages` of which the last is the user's; `filters` say what may be seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str | None = None
    messages: tuple[Message, ...] | None = None
    filters: Filters = Filters()
    top_k: int | None = Field(None, ge=1, le=50)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.question is None) == (not self.messages):
            raise ValueError("give either `question` or `messages`")
        if self.messages and self.messages[-1].role != "user":
            raise ValueError("the last of `messages` must be the user's")
        if not self.asked.strip():
            raise ValueError("the question is empty")
        return self

    @property
    def asked(self) -> str:
        return self.messages[-1].content if self.messages else self.question or ""

    @property
    def turns(self) -> list[Turn]:
        """What was said before, oldest first."""
        earlier: list[Turn] = [(one.role, one.content) for one in (self.messages or ())[:-1]]
        return earlier[-TURNS:]


class Answer(BaseModel):
    """`answered` is False where the documents do not say: then `answer` is the refusal and nothing is cited.

    `confidence`, from 0 to 1, is what was held against the threshold; `asked` the question as it stands alone; `read`
    the ids of the chunks that it was answered from, best first, and `found` these chunks, which are no part of the
    answer told; a language model was asked `calls` times, for tokens that are None where its server does not say."""

    model_config = ConfigDict(frozen=True)

    answered: bool
    answer: str
    citations: list[Citation] = []
    confidence: float = 0.0
    asked: str = ""
    read: tuple[str, ...] = ()
    search_ms: float = 0.0
    found: tuple[Hit, ...] = Field((), exclude=True, repr=False)
    calls: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def hits(self) -> int:
        return len(self.read)


class Answerer:
    """Searches, decides whether the documents can answer, and lets the generator write; threads may share it."""

    def __init__(
        self,
        searcher: Searcher,
        generator: Generator,
        threshold: float = DEFAULT_THRESHOLD,
        refusal: str = NOT_FOUND,
    ) -> None:
        self.searcher, self.generator, self.threshold, self.refusal = searcher, generator, threshold, refusal

    def ask(self, ask: Ask) -> Answer:
        """The whole answer; Unavailable where the generator's server is."""
        for piece in self.stream(ask):
            if isinstance(piece, Answer):
                return piece
        raise AssertionError("a stream ends with its answer")

    def stream(self, ask: Ask) -> Iterator[str | Answer]:
        """The answer's text in pieces, then the whole answer, whose text is the pieces put together."""
        spent = Spent()
        question = self.generator.standalone(ask.asked, ask.turns, spent)
        began = perf_counter()
        count = ask.top_k or self.searcher.options.top_k
        found = self.searcher.search(question, max(count, WIDER), ask.filters)
        if self.searcher.rereads:
            sure = confidence(question, hits := found[:count])
        else:
            hits, sure = best(question, found, count)
        facts = Answer(
            answered=False,
            answer=self.refusal,
            confidence=sure,
            asked=question,
            read=tuple(hit.chunk.id for hit in hits),
            search_ms=(perf_counter() - began) * 1000,
            found=tuple(hits),
        )
        if hits and sure >= self.threshold:
            yield from self._written(question, hits, facts, spent)
        else:
            yield from (facts.answer, facts.model_copy(update=vars(spent)))

    def _written(self, question: str, hits: list[Hit], facts: Answer, spent: Spent) -> Iterator[str | Answer]:
        numbering = Numbering(hits)
        for piece in started(self.generator.answer(question, hits, spent), self.refusal):
            if told := numbering.feed(piece):
                yield told
        if told := numbering.end():
            yield told
        facts = facts.model_copy(update=vars(spent))
        if not numbering.text:
            yield from (facts.answer, facts)
            return
        written = {"answered": True, "answer": numbering.text, "citations": numbering.citations()}
        yield facts.model_copy(update=written)


def started(pieces: Iterator[str], refusal: str) -> Iterator[str]:
    """The pieces from the first that is no white space; none where they begin as the refusal does."""
    head, open_ = "", True
    phrase = refusal.strip().rstrip(".").casefold()
    for piece in pieces:
        if not open_:
            yield piece
            continue
        head = (head + piece).lstrip()
        if head.casefold().startswith(phrase):
            for _ in pieces:
                pass  # at its end a server tells the tokens
            return
        if head and not phrase.startswith(head.casefold()):
            open_ = False
            yield head
    if open_ and head:
        yield head
