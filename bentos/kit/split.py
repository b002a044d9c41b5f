"""A split of the traffic: which requests a trial answers, how long, and that the champion answers where it fails."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic

from starlette.requests import Request
from starlette.responses import Response

from bentos.kit.errors import REQUEST_ID, problem_of
from bentos.kit.handle import Handle, M
from bentos.kit.keys import caller
from tasks.registry.rest import Terms

logger = logging.getLogger("penstock")

# in the ASGI scope: the split that gave the request to its trial; False where none did yet; None after that failed,
# and where nobody would answer in its place
GIVEN = "penstock.split"
BEGUN = "penstock.split.begun"  # likewise: the trial's answer has begun, so that nobody else can answer
SESSION = "x-session-id"
LOST = (500, 503)  # what is the trial's fault, and may be answered all the same
TELLING = 4096  # characters of how a conversation opened
FAILURES = 5  # in a row, after which a trial gets no more requests


@dataclass(eq=False)
class Split(Generic[M]):
    """A version beside the one that serves, and its share. Every replica chooses alike."""

    handle: Handle[M]
    terms: Terms
    failures: int = 0
    in_a_row: int = 0
    last: str = ""

    @property
    def over(self) -> bool:
        return time.time() >= self.terms.until

    @property
    def spent(self) -> bool:
        return self.in_a_row >= FAILURES

    def chosen(self, request: Request, opening: str) -> Handle[M] | None:
        """The trial, where the request is in its share.

        A conversation stays with one version: it is told by X-Session-ID, or by how it opened; all else by the
        request's id."""
        if self.over or self.spent or request.scope.get(GIVEN) is None:
            return None
        request.scope[GIVEN] = False
        key = caller(request.scope)
        what = request.headers.get(SESSION) or opening[:TELLING] or request.scope[REQUEST_ID]
        if not self.takes(key.tenant, key.name, what):
            return None
        request.scope[GIVEN] = self
        return self.handle

    def takes(self, tenant: str, key: str, what: str) -> bool:
        told = "\0".join((self.terms.entry, tenant, key, what)).encode(errors="surrogatepass")
        return int.from_bytes(blake2b(told, digest_size=8).digest()) < self.terms.share * 2**64

    def failed(self, request: Request, why: str) -> None:
        self.failures, self.in_a_row, self.last = self.failures + 1, self.in_a_row + 1, why
        logger.exception("The trial v%s failed on request %s", self.handle.version, request.scope[REQUEST_ID])

    def reason(self) -> str | None:
        """What /ready tells of a trial that failed."""
        if not self.failures:
            return None
        ending = "; it gets no more until the split is set again" if self.spent else ""
        return f"the trial v{self.handle.version} failed on {self.failures} requests{ending}; the last: {self.last}"


async def answered(request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
    """The handler's answer; where it was the trial's and failed, the champion's."""
    request.scope[GIVEN] = False
    try:
        response = await handler(request)
    except Exception as error:
        if not covered(request, error):
            raise
        request.scope[GIVEN].failed(request, str(problem_of(error)))
        request.scope[GIVEN] = None
        return await handler(request)
    except asyncio.CancelledError:  # its time is over: too late for another answer
        if split := request.scope.get(GIVEN):
            split.failed(request, "it did not answer in time")
        raise
    if split := request.scope.get(GIVEN):
        split.in_a_row = 0
        request.scope[BEGUN] = True
    return response


def covered(request: Request, error: BaseException) -> bool:
    """Whether the champion is going to answer in the place of a trial that failed so."""
    lost = isinstance(error, Exception) and problem_of(error).status in LOST
    return lost and bool(request.scope.get(GIVEN)) and BEGUN not in request.scope
