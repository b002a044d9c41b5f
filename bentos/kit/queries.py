"""Parameters in a query: described in OpenAPI, read with a clear refusal."""

from typing import Any

from starlette.requests import Request

from bentos.kit.errors import Problem

FLAGS = {"true": True, "false": False}


def described(name: str, kind: str, default: Any, what: str, **bounds: int) -> dict[str, Any]:
    """A parameter as OpenAPI tells it."""
    schema = {"type": kind, "default": default, **bounds}
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": what}


def whole(request: Request, name: str, default: int, least: int, most: int) -> int:
    given = request.query_params.get(name, str(default))
    if not given.isascii() or not given.isdigit() or len(given) > 10 or not least <= int(given) <= most:
        raise Problem(422, f"{name} must be a whole number from {least} to {most}.")
    return int(given)


def flag(request: Request, name: str, default: bool) -> bool:
    given = request.query_params.get(name)
    if given is None:
        return default
    if given not in FLAGS:
        raise Problem(422, f"{name} must be true or false.")
    return FLAGS[given]
