"""Answers as server-sent events: `delta` while the text grows, then `done` with the whole, or `error` in the schema."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import StreamingResponse

from bentos.kit.errors import Problem
from bentos.kit.shell import CLOCK
from bentos.kit.streams import HEADERS, last_words

EventSource = AsyncIterator[tuple[str, Any]]


def event(name: str, value: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(value))


async def streamed(request: Request, events: EventSource, limit_s: float) -> StreamingResponse:
    """The response to `events`; what goes wrong before the first of them is still an answer with its own status."""
    first = await anext(events)
    return StreamingResponse(_lines(request, first, events, limit_s), headers=HEADERS, media_type="text/event-stream")


async def _lines(request: Request, first: tuple[str, Any], events: EventSource, limit_s: float) -> AsyncIterator[bytes]:
    """Each event has the time of a request: an answer that still grows is not given up."""
    loop, clock = asyncio.get_running_loop(), request.scope[CLOCK]
    try:
        yield event(*first)
        while True:
            clock.reschedule(loop.time() + 2 * limit_s)
            async with asyncio.timeout(limit_s):
                found = await anext(events, None)
            if found is None:
                return
            yield event(*found)
    except TimeoutError:
        yield failed(request, Problem(504, f"The answer did not go on within {limit_s:g} s and was given up."))
    except Exception as error:  # the status is out already: the event is the only place to say it
        yield failed(request, error)


def failed(request: Request, error: Exception) -> bytes:
    return b"event: error\ndata: %s\n\n" % last_words(request, error)
