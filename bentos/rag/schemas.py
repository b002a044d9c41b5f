"""Request and response types of the document service: strict, bounded, nothing extra."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from bentos.kit.openapi import Described, components
from bentos.kit.types import Whole

QUESTION = 8000  # characters
MESSAGE = 16000
MESSAGES = 100
DOCUMENTS = 100
TOP_K = 50
EXAMPLE = {"question": "How do I hand in an exercise?"}


def _day(value: str) -> str:
    date.fromisoformat(value)
    return value


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("the text is empty")
    return value


Day = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d{2}-\d{2}$"),
    AfterValidator(_day),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Text = Annotated[str, Field(min_length=1, max_length=QUESTION, pattern=r"\S"), AfterValidator(_said)]
TopK = Annotated[int, Field(ge=1, le=TOP_K), Whole]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class Narrowed(Strict):
    """Which documents are asked: by path, and by the day that they carry; what a key may see is not asked here."""

    documents: list[Annotated[str, Field(min_length=1, max_length=1000)]] | None = Field(
        None, min_length=1, max_length=DOCUMENTS
    )
    since: Day | None = None
    until: Day | None = None

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.since and self.until and self.since > self.until:
            raise ValueError("since is later than until")
        return self


class Message(Strict):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: str = Field(min_length=1, max_length=MESSAGE)


def _one_of_two(schema: dict[str, Any]) -> None:
    """Say in JSON Schema what `one_question` checks; None stands for `not given` and cannot be sent."""
    schema["oneOf"] = [{"required": ["question"]}, {"required": ["messages"]}]
    for name in ("question", "messages"):
        schema["properties"][name].pop("default", None)


class Question(Strict):
    """A question, or a conversation that ends with one."""

    model_config = ConfigDict(json_schema_extra=_one_of_two)

    question: Text = Field(None, examples=[EXAMPLE["question"]])  # type: ignore[assignment]
    messages: list[Message] = Field(None, min_length=1, max_length=MESSAGES)  # type: ignore[arg-type]
    filters: Narrowed | None = None
    top_k: TopK | None = Field(None, description="Passages that are found; the release's own number where left out")
    stream: bool = Field(False, description="Answer as text/event-stream: `delta` events, then `done` or `error`")

    @model_validator(mode="after")
    def one_question(self) -> Self:
        if len(self.model_fields_set & {"question", "messages"}) != 1:
            raise ValueError("give either a question or messages")
        if self.messages:
            last = self.messages[-1]
            if last.role != "user":
                raise ValueError("the last message must be the user's")
            if not last.content.strip() or len(last.content) > QUESTION:
                raise ValueError(f"the last message must hold a question of at most {QUESTION} characters")
        return self

    @property
    def text(self) -> str:
        return self.messages[-1].content if self.messages else self.question

    @property
    def opening(self) -> str:
        """What a conversation began with; empty for a question alone."""
        return self.messages[0].content if self.messages else ""


class Query(Strict):
    """What to look for."""

    query: Text
    filters: Narrowed | None = None
    top_k: TopK | None = None


class Citation(BaseModel):
    """Where it stands: pages start at 1."""

    number: int
    document: str
    page: int
    last_page: int
    heading: str
    snippet: str
    score: float


class Answered(BaseModel):
    """The answer with what it rests on; `answered` is false where the documents do not say."""

    answered: bool
    answer: str
    citations: list[Citation]
    version: str
    request_id: str


class Found(BaseModel):
    """Passages, the best first."""

    results: list[Citation]
    version: str
    request_id: str


class Known(BaseModel):
    """A document: `id` is an upload's, which alone can be deleted here."""

    id: str | None = None
    path: str
    name: str
    title: str = ""
    status: Literal["pending", "indexed", "failed", "deleted"]
    reason: str | None = None
    uploaded: bool = False
    pages: int | None = None
    chunks: int | None = None
    size: int | None = None
    tenant: str = ""
    note: str | None = Field(None, description="What to do so that the change is answered from")


class Shelf(BaseModel):
    """The documents that the key may see, sorted by path; `total` counts all of them."""

    documents: list[Known]
    total: int
    version: str


def describe() -> Described:
    types = {"Question": Question, "Query": Query, "Answered": Answered, "Found": Found, "Known": Known, "Shelf": Shelf}
    examples = {"/v1/ask": EXAMPLE, "/v1/search": {"query": EXAMPLE["question"], "top_k": 3}}
    return Described(components(**types), examples)
