"""Work that is given up as soon as the client hangs up: nobody would read what comes of it."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import Request

from bentos.kit.errors import Problem

T = TypeVar("T")
LEFT = 499  # what proxies write into their logs; nobody is there to read it


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the client hangs up; the body has been read before."""
    working, leaving = asyncio.ensure_future(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Problem(LEFT, "The client hung up before its answer.", "client_left")
        return working.result()
    finally:
        for one in (working, leaving):
            one.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
