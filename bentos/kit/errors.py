"""One error schema for every answer from 400 to 504: whatever goes wrong, a client reads it the same way."""

import logging
from collections.abc import Mapping

import orjson
from fastapi import FastAPI
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tasks.errors import BadInput, NotFound, PenstockError, Refused, Unavailable

logger = logging.getLogger("penstock")

REQUEST_ID = "penstock.request_id"
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "refused",
    413: "too_large",
    415: "unsupported_media_type",
    422: "bad_input",
    429: "too_many_requests",
    500: "internal_error",
    503: "not_ready",
    504: "timeout",
}
STATUS: dict[type[PenstockError], int] = {BadInput: 422, NotFound: 404, Refused: 409, Unavailable: 503}
DETAILS = 20


class ErrorDetail(BaseModel):
    """One fault of the request: where it stands and what is wrong with it."""

    field: str
    problem: str
    type: str


class ErrorBody(BaseModel):
    code: str = Field(examples=["bad_input"])
    message: str
    status: int = Field(ge=400, le=599)
    path: str
    request_id: str
    details: list[ErrorDetail]


class ErrorAnswer(BaseModel):
    """What every status from 400 on carries."""

    error: ErrorBody


class Problem(PenstockError):
    """A refusal with a status of its own; `code` defaults to the status's usual one."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        details: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or CODES[status]
        self.details = details or []
        self.headers = dict(headers or {})


def problem_of(error: Exception) -> Problem:
    """Any exception as a Problem; what nobody raised on purpose tells the client nothing about its inside."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        code = CODES.get(error.status_code, "error")
        return Problem(error.status_code, str(error.detail), code, headers=error.headers)
    if isinstance(error, PenstockError):
        status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
        return Problem(status, str(error))
    return Problem(500, "The service failed on this request; its log names the cause under the request id.")


def render(problem: Problem, path: str, request_id: str) -> Response:
    body = {
        "code": problem.code,
        "message": str(problem),
        "status": problem.status,
        "path": path,
        "request_id": request_id,
        "details": problem.details,
    }
    return Response(
        orjson.dumps({"error": body}), problem.status, headers=problem.headers, media_type="application/json"
    )


def unfit(error: ValidationError) -> Problem:
    """A body that does not fit the schema, with the first faults, never the values."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    details = [
        {"field": ".".join(map(str, fault["loc"])), "problem": fault["msg"], "type": fault["type"]}
        for fault in faults[:DETAILS]
    ]
    first = f"{details[0]['field']}: {details[0]['problem']}" if details[0]["field"] else details[0]["problem"]
    more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
    return Problem(422, f"The body does not fit the schema: {first}{more}. See /openapi.json.", details=details)


async def _handle(request: Request, error: Exception) -> Response:
    return render(problem_of(error), request.url.path, request.scope.get(REQUEST_ID, ""))


def install(app: FastAPI) -> None:
    """Let FastAPI answer its own errors in the schema, too."""
    for kind in (PenstockError, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)
