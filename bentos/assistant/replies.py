"""Answers in the shapes of the OpenAI API; beside its fields `penstock` names the version and tells how it went."""

from typing import Any, Literal

from pydantic import BaseModel

from bentos.assistant.writing import Writing
from bentos.kit.app import request_id
from tasks.language.engines import End, Finish, Piece

Kind = Literal["chat", "text"]


class Facts(BaseModel):
    """`why` by choice: eos, stop sequence, loop, max_tokens or context; null where another server does not say."""

    version: str
    why: list[str | None]
    latency_ms: float
    first_token_ms: float | None


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Answer(BaseModel):
    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(BaseModel):
    index: int
    message: Answer
    finish_reason: Finish
    logprobs: None


class TextChoice(BaseModel):
    index: int
    text: str
    finish_reason: Finish
    logprobs: None


class Head(BaseModel):
    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str


class ChatAnswer(Head):
    """The assistant's answers."""

    choices: list[ChatChoice]
    usage: Usage
    penstock: Facts


class TextAnswer(Head):
    """The continuations of a text."""

    choices: list[TextChoice]
    usage: Usage
    penstock: Facts


def head(writing: Writing, kind: Kind, streamed: bool) -> dict[str, Any]:
    number = request_id(writing.request)
    chat = "chat.completion.chunk" if streamed else "chat.completion"
    return {
        "id": f"chatcmpl-{number}" if kind == "chat" else f"cmpl-{number}",
        "object": chat if kind == "chat" else "text_completion",
        "created": writing.began // 10**9,
        "model": writing.model,
        "system_fingerprint": f"v{writing.handle.version}",
    }


def usage(writing: Writing) -> dict[str, int]:
    read, wrote = writing.prompt_tokens, writing.tokens
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


def facts(writing: Writing) -> dict[str, Any]:
    return {
        "version": writing.handle.version,
        "why": [choice.end.why if choice.end else None for choice in writing.choices],
        "latency_ms": round(writing.took_s * 1000, 3),
        "first_token_ms": None if writing.first_s is None else round(writing.first_s * 1000, 3),
    }


def whole(writing: Writing, kind: Kind) -> dict[str, Any]:
    """The answer to a request that is not streamed."""
    choices = []
    for index, choice in enumerate(writing.choices):
        message = {"role": "assistant", "content": choice.text, "refusal": None}
        said: dict[str, Any] = {"message": message} if kind == "chat" else {"text": choice.text}
        finish = choice.end.finish if choice.end else None
        choices.append({"index": index, **said, "finish_reason": finish, "logprobs": None})
    told = {"choices": choices, "usage": usage(writing), "penstock": facts(writing)}
    return head(writing, kind, False) | told


def opening(number: int) -> dict[str, Any]:
    """The first chunk of a chat's choice."""
    delta = {"role": "assistant", "content": "", "refusal": None}
    return {"index": number, "delta": delta, "finish_reason": None, "logprobs": None}


def part(number: int, piece: Piece, kind: Kind) -> dict[str, Any]:
    """A piece of a choice as a chunk has it."""
    delta = {"content": piece.text} if piece.text else {}
    said: dict[str, Any] = {"delta": delta} if kind == "chat" else {"text": piece.text}
    finish = piece.finish if isinstance(piece, End) else None
    return {"index": number, **said, "finish_reason": finish, "logprobs": None}
