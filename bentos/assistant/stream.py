"""Answers as server-sent events, as the OpenAI API has them: chunks, then `[DONE]`, or an error in the schema."""

from collections.abc import AsyncGenerator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bentos.assistant import replies
from bentos.assistant.replies import Kind
from bentos.assistant.writing import Pieces, Writing, problem
from bentos.kit.streams import HEADERS, last_words
from tasks.language.engines import Piece

Chunks = AsyncGenerator[dict[str, Any]]
First = tuple[int, Piece]
MEDIA = {"text/event-stream": {"type": "string", "description": "Chunks as JSON in `data:` lines, then [DONE]"}}
DONE = b"data: [DONE]\n\n"


class Events(StreamingResponse):
    """Closes what it streams when the client hangs up, at once."""

    def __init__(self, lines: AsyncGenerator[bytes]) -> None:
        super().__init__(lines, headers=HEADERS, media_type="text/event-stream")
        self.lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.lines.aclose()


def events(writing: Writing, pieces: Pieces, first: First, kind: Kind, last: bool) -> Events:
    """The response that streams all choices; `last`: with the usage in a chunk of its own at the end."""
    return Events(lines(chunks(writing, pieces, first, kind, last), writing.request))


async def lines(chunks: Chunks, request: Request) -> AsyncGenerator[bytes]:
    """The events of a stream that has begun: an error can only be told as one of them."""
    try:
        async for chunk in chunks:
            yield data(chunk)
        yield DONE
    except Exception as error:  # the status is out already
        yield b"data: %s\n\n" % last_words(request, problem(error))
    finally:
        await chunks.aclose()


async def chunks(writing: Writing, pieces: Pieces, first: First, kind: Kind, last: bool) -> Chunks:
    """What the API sends for each piece."""
    head = replies.head(writing, kind, True)
    spent = {"usage": None} if last else {}
    try:
        if kind == "chat":
            for number in range(len(writing.choices)):
                yield head | {"choices": [replies.opening(number)]} | spent
        yield head | {"choices": [replies.part(*first, kind)]} | ending(writing) | spent
        async for number, piece in pieces:
            chunk = replies.part(number, piece, kind)
            if piece.text or chunk["finish_reason"]:
                yield head | {"choices": [chunk]} | ending(writing) | spent
        if last:
            yield head | {"choices": [], "usage": replies.usage(writing), "penstock": replies.facts(writing)}
    finally:
        await pieces.aclose()


def ending(writing: Writing) -> dict[str, Any]:
    """The facts of the answer, in the chunk that ends it."""
    return {} if any(choice.end is None for choice in writing.choices) else {"penstock": replies.facts(writing)}


def data(chunk: Any) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(chunk)
