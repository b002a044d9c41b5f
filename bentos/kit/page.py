"""The chat page and its session: `*page.operations(desk)` among a service's operations turns both on."""

import mimetypes
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from bentos.kit.app import Handler, Operation
from bentos.kit.bodies import parsed_object
from bentos.kit.desk import Desk
from bentos.kit.errors import Problem, unfit
from bentos.kit.keys import Key
from bentos.kit.sessions import cookie_name, same_origin, token_of
from tasks.artifacts import sha256

FOLDER = Path(__file__).parent / "chat"
FILES = ("chat.css", "icon.svg", "assistant.js", "chat.js", "library.js", "panel.js", "parts.js")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class SignIn(BaseModel):
    """The API key that a session is opened with."""

    model_config = ConfigDict(strict=True, extra="forbid")

    key: str = Field(min_length=1, max_length=1000)


def operations(desk: Desk[Any]) -> list[Operation]:
    """The page at `/` with its files, and the session behind it."""
    return [
        Operation("GET", "/", shown("index.html"), "The chat page", None, ""),
        *(Operation("GET", f"/chat/{name}", shown(name), "A part of the chat page", None, "") for name in FILES),
        Operation("POST", "/session", sign_in(desk), "Open a session", None, "", "SignIn"),
        Operation("GET", "/session", visitor(desk), "Whose session it is", None, ""),
        Operation("DELETE", "/session", sign_out(desk), "End the session", None, ""),
    ]


def shown(name: str) -> Handler:
    async def show(request: Request) -> Response:
        data, tag = _file(name)
        headers = HEADERS | {"ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=mimetypes.guess_type(name)[0])

    return show


@cache
def _file(name: str) -> tuple[bytes, str]:
    data = (FOLDER / name).read_bytes()
    return data, f'"{sha256(data)[:16]}"'


def sign_in(desk: Desk[Any]) -> Handler:
    """A key for an HttpOnly cookie; the session ends with the key, with its lifetime, and with the service."""

    async def open_session(request: Request) -> Response:
        keys, headers = desk.config.keys, request.headers
        if not same_origin(headers):
            raise Problem(403, "A session is opened from the service's own page only; send the API key itself.")
        try:
            given = SignIn.model_validate(parsed_object(await request.body(), 1))
        except ValidationError as error:
            raise unfit(error) from None
        key = keys.named(given.key)
        if key is None:
            raise Problem(401, "This API key is not known here; check that all of it was entered.")
        response = told(key)
        response.set_cookie(
            cookie_name(headers),
            keys.sessions.open(key.sha256),
            max_age=int(keys.sessions.lifetime_s),
            secure=headers.get("origin", "").startswith("https:") or request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    return open_session


def visitor(desk: Desk[Any]) -> Handler:
    async def tell(request: Request) -> Response:
        return told(desk.config.keys.known(request.headers, request.method))

    return tell


def sign_out(desk: Desk[Any]) -> Handler:
    async def close_session(request: Request) -> Response:
        headers = request.headers
        if not same_origin(headers):
            raise Problem(403, "A session is ended from the service's own page only.")
        desk.config.keys.sessions.close(token_of(headers))
        response = Response(status_code=204)
        response.delete_cookie(cookie_name(headers), httponly=True, samesite="strict")
        return response

    return close_session


def told(key: Key) -> Response:
    """The name is empty where the service uses no keys."""
    body = {"name": key.name, "tenant": key.tenant, "scopes": sorted(key.scopes)}
    return Response(orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json")
