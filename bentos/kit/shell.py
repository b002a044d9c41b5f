"""The outermost ASGI layer: probes and metrics, request ids, limits, and errors where nothing inside answers.

HTTP goes straight to the FastAPI app: Bento's own routes and middlewares would answer in other shapes and cost more
than a prediction. Lifespan goes to Bento.
"""

import asyncio
import logging
import re
import secrets
from time import perf_counter
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bentos.kit.desk import Desk
from bentos.kit.errors import REQUEST_ID, Problem, problem_of, render
from bentos.kit.metrics import CONTENT_TYPE

logger = logging.getLogger("penstock")

SAFE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
CLOCK = "penstock.clock"  # in the ASGI scope: the request's time limit; an answer that streams moves it on
SLOT = "penstock.slot"  # likewise: its place among those answered at once
FRAMING = 64 << 10  # what a multipart form adds to the file in it
SLOWEST = 32 << 10  # bytes a second at which a document must arrive, or its time runs out
PROBES = {"/livez", "/health", "/readyz", "/ready", "/metrics"}


class Exchange:
    """One request on its way: counts the body, adds the request id, remembers the status.

    With `more_time` the body of a document moves its clock on: so much a second while it arrives, then anew."""

    __slots__ = ("clock", "deadline", "limit", "receive", "received", "request_id", "send", "status", "timeout_s")

    def __init__(self, receive: Receive, send: Send, request_id: bytes, limit: int) -> None:
        self.receive, self.send, self.request_id, self.limit = receive, send, request_id, limit
        self.received = self.status = 0
        self.clock: asyncio.Timeout | None = None

    async def read(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
            if self.received > self.limit:
                raise too_large(self.limit)
            if self.clock is not None:
                arriving = message.get("more_body", False)
                now = asyncio.get_running_loop().time()
                when = self.deadline + self.received / SLOWEST if arriving else now + self.timeout_s
                self.clock.reschedule(when)
        return message

    def more_time(self, clock: asyncio.Timeout, timeout_s: float) -> None:
        self.clock, self.timeout_s = clock, timeout_s
        self.deadline = asyncio.get_running_loop().time() + timeout_s

    async def write(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"].append((b"x-request-id", self.request_id))
        await self.send(message)


class Slot:
    """A request's place among those answered at once; what waits in a queue of its own gives it back before."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._held = False

    async def __aenter__(self) -> None:
        self._held = await self._slots.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        if self._held:
            self._held = False
            self._slots.release()


class Shell:
    """Wraps `app`; `lifespan` is the app that starts and stops (Bento's, when it serves)."""

    def __init__(self, app: ASGIApp, desk: Desk[Any], lifespan: ASGIApp | None = None) -> None:
        self.app, self.desk, self.lifespan = app, desk, lifespan or app
        self.running = self.waiting = 0
        desk.metrics.in_flight.set_function(lambda: self.running + self.waiting)
        self._slots: asyncio.Semaphore | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.lifespan(scope, receive, send)
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = perf_counter()
        given, length = _read_headers(scope)
        request_id = given if given and SAFE_ID.fullmatch(given) else secrets.token_hex(16).encode()
        scope[REQUEST_ID] = request_id.decode()
        config = self.desk.config
        upload = config.max_upload_bytes + FRAMING if scope["path"] in self.desk.uploads else 0
        exchange = Exchange(receive, send, request_id, max(config.max_body_bytes, upload))
        await self._answer(scope, exchange, length)
        template = scope["path"] if scope["path"] in PROBES else getattr(scope.get("route"), "path", "unmatched")
        self.desk.metrics.observe(template, scope["method"], exchange.status, perf_counter() - started)

    async def _answer(self, scope: Scope, exchange: Exchange, length: bytes) -> None:
        """Answer once, whatever happens inside; a response that has begun can only be cut off."""
        try:
            if scope["path"] in PROBES:
                await self._probe(scope)(scope, exchange.receive, exchange.write)
            elif length.isdigit() and int(length) > exchange.limit:
                raise too_large(exchange.limit)
            else:
                await self._bounded(scope, exchange)
        except Exception as error:
            problem = problem_of(error)
            if problem.status == 500:
                logger.exception("Request %s to %s failed", scope[REQUEST_ID], scope["path"])
            if exchange.status:
                if problem.status != 500:
                    raise
                return
            response = render(problem, scope["path"], scope[REQUEST_ID])
            await response(scope, exchange.receive, exchange.write)

    async def _bounded(self, scope: Scope, exchange: Exchange) -> None:
        """Run the app within the limits: slots, then a queue, then 429; in time, or 504."""
        config = self.desk.config
        slots = self._slots = self._slots or asyncio.Semaphore(config.max_concurrency)
        if slots.locked() and self.waiting >= config.max_queue:
            raise Problem(429, "All slots and the queue are taken; try again shortly.", headers={"Retry-After": "1"})
        self.waiting += 1
        queued = True
        scope[SLOT] = Slot(slots)
        try:
            async with asyncio.timeout(config.timeout_s) as scope[CLOCK], scope[SLOT]:
                self.waiting, self.running, queued = self.waiting - 1, self.running + 1, False
                if scope["path"] in self.desk.uploads:
                    exchange.more_time(scope[CLOCK], config.timeout_s)
                await self.app(scope, exchange.read, exchange.write)
        except TimeoutError:
            if scope[CLOCK].expired():
                raise Problem(504, f"The request took longer than {config.timeout_s:g} s and was given up.") from None
            raise
        finally:
            if queued:
                self.waiting -= 1
            else:
                self.running -= 1

    def _probe(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            raise Problem(405, "This path answers GET only.", headers={"Allow": "GET, HEAD"})
        path = scope["path"]
        if path == "/metrics":
            self.desk.config.keys.caller(Headers(scope=scope), "read", scope["method"])
            return Response(self.desk.metrics.render(), media_type=CONTENT_TYPE)
        if path in ("/livez", "/health"):
            return Response(b'{"status":"alive"}', media_type="application/json")
        status, body = self.desk.readiness()
        return Response(orjson.dumps(body), status, media_type="application/json")


def too_large(limit: int) -> Problem:
    return Problem(413, f"The body is larger than {limit} bytes; send less at once.", headers={"Connection": "close"})


def _read_headers(scope: Scope) -> tuple[bytes, bytes]:
    """X-Request-ID and Content-Length, in one pass over the headers."""
    request_id = length = b""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            request_id = value
        elif name == b"content-length":
            length = value
    return request_id, length
