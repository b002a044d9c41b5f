"""The FastAPI factory of all services: raw routes behind keys, the routes in common, OpenAPI of what serves."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from bentos.kit import errors, openapi
from bentos.kit.desk import Desk
from bentos.kit.errors import REQUEST_ID, Problem
from bentos.kit.feedback import feedback
from bentos.kit.keys import CALLER
from bentos.kit.lifecycle import Lifecycle
from bentos.kit.split import answered

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Operation:
    """One route: `request` and `response` name schemas of the service's OpenAPI components.

    `takes` and `gives` are for what is not JSON: schemas by media type, of the body and beside `response`."""

    method: str
    path: str
    handler: Handler
    summary: str
    scope: str | None
    response: str
    request: str | None = None
    errors: Sequence[int] = field(default=(400, 401, 403, 413, 415, 422, 429, 500, 503, 504))
    name: str = ""
    status: int = 200
    parameters: Sequence[dict[str, Any]] = ()
    takes: Mapping[str, Any] = field(default_factory=dict)
    gives: Mapping[str, Any] = field(default_factory=dict)
    upload: bool = False


class RawRoute(APIRoute):
    """Calls the endpoint with the request alone: FastAPI's parameter handling costs more than a prediction."""

    def __init__(self, path: str, endpoint: Handler, **options: Any) -> None:
        super().__init__(path, endpoint, **options)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)

        self.app = answer


def create_app(desk: Desk[Any], title: str, operations: Sequence[Operation], schemas: openapi.Schemas) -> FastAPI:
    """The service's app; `schemas` gives the OpenAPI components and examples of the version that serves."""
    lifecycle = Lifecycle(desk)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await lifecycle.start()
        yield
        await lifecycle.stop()

    app = FastAPI(title=title, version="1", openapi_url=None, redirect_slashes=False, lifespan=lifespan)
    app.state.lifecycle = lifecycle
    errors.install(app)
    for operation in (*operations, *common(desk, app)):
        _add(app, desk, operation)
    desk.uploads |= {operation.path for operation in operations if operation.upload}
    _describe(app, desk, schemas)
    return app


def _describe(app: FastAPI, desk: Desk[Any], schemas: openapi.Schemas) -> None:
    """Let the app tell the OpenAPI of the version that serves, made once per version."""
    made: dict[str, dict[str, Any]] = {}

    def document() -> dict[str, Any]:
        key = f"{desk.handle.version} {desk.handle.digest}" if desk.handle else ""
        if key not in made:
            made.clear()
            made[key] = openapi.document(app, desk, schemas)
        return made[key]

    app.openapi = document  # type: ignore[method-assign]


def common(desk: Desk[Any], app: FastAPI) -> list[Operation]:
    """The routes that every service has."""

    async def info(_request: Request) -> Response:
        return answer(desk.info())

    async def document(_request: Request) -> Response:
        return answer(app.openapi())

    async def docs(_request: Request) -> Response:
        return HTMLResponse(openapi.page(app.openapi()), headers={"Content-Security-Policy": openapi.CSP})

    async def home(_request: Request) -> Response:
        return RedirectResponse("docs", status_code=307)

    told = (401, 403, 429, 500, 503, 504)
    return [
        Operation("POST", "/feedback", feedback(desk), "Tell what was right", "feedback", "Accepted", "Feedback"),
        Operation("GET", "/info", info, "The version that answers, and its lineage", "read", "Info", errors=told),
        Operation("GET", "/openapi.json", document, "This document", None, "", errors=told),
        Operation("GET", "/docs", docs, "The operations on one page", None, "", errors=told),
        Operation("GET", "/", home, "To the documentation", None, "", errors=told),
    ]


def _add(app: FastAPI, desk: Desk[Any], operation: Operation) -> None:
    extra: dict[str, Any] = {"parameters": list(operation.parameters)} if operation.parameters else {}
    if body := _content(operation.request, operation.takes):
        extra["requestBody"] = {"required": True, "content": body}
    responses: dict[int | str, Any] = {status: {"model": errors.ErrorAnswer} for status in operation.errors}
    given = _content(operation.response, operation.gives)
    if given:
        responses[operation.status] = {"description": "The answer", "content": given}
    route = RawRoute(
        operation.path,
        guarded(desk, operation),
        methods=[operation.method],
        summary=operation.summary,
        status_code=operation.status,
        operation_id=operation.name or operation.path.strip("/").replace("/", "_") or "home",
        include_in_schema=bool(given),
        responses=responses,
        response_class=Response,
        openapi_extra=extra,
    )
    app.router.routes.append(route)


def _content(schema: str | None, others: Mapping[str, Any]) -> dict[str, Any]:
    """Media types with their schemas; JSON by the name of its component."""
    json = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}} if schema else {}
    return json | {media: {"schema": schema} for media, schema in others.items()}


def guarded(desk: Desk[Any], operation: Operation) -> Handler:
    """The handler behind its key and its content type."""
    handler, scope, takes_json = operation.handler, operation.scope, operation.request is not None

    @wraps(handler)
    async def call(request: Request) -> Response:
        if scope is not None:
            request.scope[CALLER] = desk.config.keys.caller(request.headers, scope, request.method)
        if takes_json and not _is_json(request.headers.get("content-type")):
            raise Problem(415, "The body must be JSON: send Content-Type: application/json.")
        return await (handler(request) if desk.split is None else answered(request, handler))

    return call


def _is_json(content_type: str | None) -> bool:
    if content_type is None or content_type == "application/json":
        return True
    return content_type.partition(";")[0].strip().lower() == "application/json"


def answer(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def request_id(request: Request) -> str:
    return str(request.scope[REQUEST_ID])
