"""/v1 as the OpenAI API has it: body to conversation, conversation to answers, answers to log."""

import asyncio
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from bentos.assistant import embeddings, listing, log, replies, stream
from bentos.assistant.bodies import ERRORS, body
from bentos.assistant.describing import describe, summary
from bentos.assistant.gauges import Gauges
from bentos.assistant.model import Assistant
from bentos.assistant.models import Models
from bentos.assistant.replies import Kind
from bentos.assistant.schemas import ChatRequest, CompletionRequest
from bentos.assistant.writing import Coming, Pieces, Writing, admitted, late, patient, problem, write
from bentos.kit import page
from bentos.kit.app import Handler, Operation, answer, create_app
from bentos.kit.desk import Desk
from bentos.kit.handle import Handle
from bentos.kit.leaving import while_there
from bentos.kit.openapi import Described
from bentos.kit.traces import Traces
from tasks.errors import PenstockError
from tasks.language.engines import Prompt, Said

INLINE_CHARS = 16 << 10  # a longer prompt is read in a thread
REQUESTS: dict[Kind, type[ChatRequest] | type[CompletionRequest]] = {"chat": ChatRequest, "text": CompletionRequest}


@dataclass
class Parts:
    """What the handlers of one service share."""

    desk: Desk[Assistant]
    models: Models
    gauges: Gauges
    traces: Traces
    coming: Coming


def app(desk: Desk[Assistant]) -> FastAPI:
    def schemas(handle: Handle[Any] | None) -> Described:
        return describe(handle.release.release if handle else "assistant")

    models = Models(desk, lambda: made.state.lifecycle.follower)
    parts = Parts(desk, models, Gauges(desk), Traces(desk), Coming(desk.config.max_waiting))
    operations = [
        Operation(
            "POST", "/v1/chat/completions", generate(parts, "chat"), summary("Continue a conversation", ChatRequest),
            "ask", "ChatAnswer", "ChatRequest", errors=ERRORS, gives=stream.MEDIA,
        ),
        Operation(
            "POST", "/v1/completions", generate(parts, "text"), summary("Continue a text", CompletionRequest),
            "ask", "TextAnswer", "CompletionRequest", errors=ERRORS, gives=stream.MEDIA,
        ),
        *embeddings.operations(desk, models, parts.gauges),
        *listing.operations(models),
        *page.operations(desk),
    ]  # fmt: skip
    made = create_app(desk, "Penstock assistant service", operations, schemas)
    return made


def generate(parts: Parts, kind: Kind) -> Handler:
    async def generate(request: Request) -> Response:
        asked = await body(request, REQUESTS[kind])
        deadline = patient(request, parts.desk.config)
        try:
            with ExitStack() as held:
                with parts.coming.place(asked.model, asked.n or 1):
                    handle = held.enter_context(await found(parts, request, asked.model, asked.said, deadline))
                    limit, own = parts.desk.config.max_tokens, handle.model.release.generation
                    samplings = asked.samplings(own, limit)
                    writing = Writing(request, asked.model, handle, asked.said, samplings, bool(asked.stream), deadline)
                    prompt = await while_there(request, read(parts.desk, writing))
                pieces = logged(parts, writing, prompt)
                first = await while_there(request, anext(pieces))
                if asked.stream:
                    return stream.events(writing, pieces, first, kind, asked.usage_last)
                await while_there(request, exhausted(pieces))
        except PenstockError as error:
            raise problem(error) from None
        return answer(replies.whole(writing, kind))

    return generate


async def found(parts: Parts, request: Request, model: str, said: Said, deadline: float) -> Handle[Assistant]:
    """The version that the request names, which may have to be loaded first."""
    opening = "" if isinstance(said, str) else next((one.content for one in said if one.role == "user"), "")
    answering = partial(parts.desk.answering, request, opening)
    try:
        async with asyncio.timeout_at(deadline):
            while (handle := await while_there(request, parts.models.find(model, answering))).retired:
                pass  # another version took over meanwhile
            return handle
    except TimeoutError:
        raise late(parts.desk.config) from None


async def read(desk: Desk[Assistant], writing: Writing) -> Prompt:
    """The prompt as the engine takes it; a long one is read in a thread, so that others are answered meanwhile."""
    engine, said, most = writing.handle.model.engine, writing.said, writing.samplings[0].max_tokens
    admitted(engine.waiting, len(writing.samplings), desk.config.max_waiting)
    size = len(said) if isinstance(said, str) else sum(len(one.content) for one in said)
    if size <= INLINE_CHARS:
        return engine.read(said, most)
    found: Prompt = await desk.apart(engine.read, said, most)
    return found


async def logged(parts: Parts, writing: Writing, prompt: Prompt) -> Pieces:
    """The pieces of the answers, which are in the log before anybody knows that they are whole."""
    with parts.traces.failing(writing.request, partial(log.whole, writing, parts.desk.config.log_text)):
        async with aclosing(write(parts.desk, parts.gauges, writing, prompt)) as pieces:
            async for piece in pieces:
                yield piece
    await log.keep(parts.desk, parts.traces, writing)


async def exhausted(pieces: Pieces) -> None:
    async for _ in pieces:
        pass
