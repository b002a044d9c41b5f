"""Bodies as the requests that they are."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from bentos.kit.bodies import narrowed, parsed
from bentos.kit.errors import unfit

ERRORS = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503, 504)  # that a body may be answered with
B = TypeVar("B", bound=BaseModel)


async def body(request: Request, kind: type[B]) -> B:
    """A conversation may be as long as any body: what is too long for the model is told in its tokens."""
    try:
        return kind.model_validate(narrowed(parsed(await request.body()), len(kind.model_fields)))
    except ValidationError as error:
        raise unfit(error) from None
