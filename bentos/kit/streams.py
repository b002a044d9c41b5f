"""What every streamed answer shares: its headers, and the last words of one that broke after its status was out."""

import logging

from starlette.requests import Request

from bentos.kit.app import request_id
from bentos.kit.errors import problem_of, render
from bentos.kit.split import GIVEN

logger = logging.getLogger("penstock")

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def last_words(request: Request, error: Exception) -> bytes:
    """The error in the schema, as JSON; called where it is handled, so that the log names the cause of an unknown
    one."""
    problem = problem_of(error)
    split = request.scope.get(GIVEN)
    if split and problem.status >= 500:
        split.failed(request, str(problem))
    if problem.status == 500:
        logger.exception("Request %s failed while it was answered", request_id(request))
    return bytes(render(problem, request.url.path, request_id(request)).body)
