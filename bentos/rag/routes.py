"""/v1/ask and /v1/search: body to question, question to answer or passages, answer to log."""

from collections.abc import Iterator
from functools import partial
from typing import Any, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from bentos.kit import page
from bentos.kit.app import Handler, Operation, answer, create_app, request_id
from bentos.kit.bodies import parsed_object
from bentos.kit.desk import Desk
from bentos.kit.errors import unfit
from bentos.kit.handle import Handle
from bentos.kit.openapi import Described
from bentos.kit.traces import Traces
from bentos.rag import documents, log, pages
from bentos.rag.access import filters
from bentos.rag.health import INDEX, MODEL, Health
from bentos.rag.model import Rag
from bentos.rag.schemas import Query, Question, describe
from bentos.rag.stream import EventSource, streamed
from bentos.rag.withheld import Withheld
from tasks.retrieval.answers import Answer, Ask, Message
from tasks.retrieval.citations import citations

EVENT = {"event": {"enum": ["delta", "done", "error"]}, "data": {"type": "string", "description": "JSON"}}
EVENTS = {"text/event-stream": {"type": "object", "properties": EVENT, "required": ["event", "data"]}}
B = TypeVar("B", bound=BaseModel)


def app(desk: Desk[Rag]) -> FastAPI:
    def schemas(_handle: Handle[Any] | None) -> Described:
        return describe()

    traces, withheld, health = Traces(desk), Withheld(desk), Health(desk)
    operations = [
        Operation(
            "POST", "/v1/ask", ask(desk, traces, withheld, health), "Answer from the documents", "ask", "Answered",
            "Question", gives=EVENTS,
        ),
        Operation("POST", "/v1/search", search(desk, withheld, health), "Find passages", "ask", "Found", "Query"),
        *documents.operations(desk, withheld),
        *pages.operations(desk, withheld),
        *page.operations(desk),
    ]  # fmt: skip
    return create_app(desk, "Penstock document service", operations, schemas)


async def body(request: Request, kind: type[B]) -> B:
    """The request's body as one of the schemas; Problem 400, 413 or 422 where it is not one."""
    try:
        return kind.model_validate(parsed_object(await request.body(), len(kind.model_fields)))
    except ValidationError as error:
        raise unfit(error) from None


def ask(desk: Desk[Rag], traces: Traces, withheld: Withheld, health: Health) -> Handler:
    async def ask(request: Request) -> Response:
        question = await body(request, Question)
        with desk.answering(request, question.opening) as handle:
            seen = await filters(desk, request, handle.model, question.filters, withheld)
            told_before = tuple(Message(**one.model_dump()) for one in question.messages or ())
            given = Ask(question=question.question, messages=told_before or None, filters=seen, top_k=question.top_k)
            asked = log.Asked(request, question, given)
            if question.stream:
                return await streamed(request, events(desk, traces, health, handle, asked), desk.config.timeout_s)
            with traces.failing(request, partial(log.whole, asked, handle, desk.config.log_text)):
                async with health.watched(handle, INDEX, MODEL):
                    found = await desk.outside(handle.model.ask, given)
            await log.keep(desk, traces, handle, asked, found)
        return answer(told(found, handle, request))

    return ask


async def events(desk: Desk[Rag], traces: Traces, health: Health, handle: Handle[Rag], asked: log.Asked) -> EventSource:
    """The answer's text in pieces, then the whole of it; each piece is waited for in a thread."""
    failed = partial(log.whole, asked, handle, desk.config.log_text)
    with handle, traces.failing(asked.request, failed):
        pieces: Iterator[str | Answer] = handle.model.stream(asked.ask)
        while True:
            async with health.watched(handle, INDEX, MODEL):
                found = await desk.outside(next, pieces, None)
            if found is None:
                return
            if isinstance(found, str):
                yield "delta", {"text": found}
            else:
                await log.keep(desk, traces, handle, asked, found)
                yield "done", told(found, handle, asked.request)


def told(found: Answer, handle: Handle[Rag], request: Request) -> dict[str, Any]:
    return {
        "answered": found.answered,
        "answer": found.answer,
        "citations": [citation.model_dump() for citation in found.citations],
        "version": handle.version,
        "request_id": request_id(request),
    }


def search(desk: Desk[Rag], withheld: Withheld, health: Health) -> Handler:
    async def search(request: Request) -> Response:
        query = await body(request, Query)
        with desk.answering(request) as handle:
            seen = await filters(desk, request, handle.model, query.filters, withheld)
            async with health.watched(handle, INDEX):
                hits = await desk.apart(handle.model.search, query.query, query.top_k, seen)
        results = [citation.model_dump() for citation in citations(hits)]
        return answer({"results": results, "version": handle.version, "request_id": request_id(request)})

    return search
