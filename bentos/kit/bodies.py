"""Request bodies as JSON values, bounded before they are validated: pydantic lists every fault of what it is given."""

from typing import Any

from pydantic_core import from_json

from bentos.kit.errors import DETAILS, Problem

OBJECT_BYTES = 64 << 10
FIELD_BYTES = 4 << 10


def parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError as error:
        raise Problem(400, f"The body is not JSON: {error}.", "not_json") from None


def parsed_object(body: bytes, fields: int) -> Any:
    """The value of a body that should be one object of that many fields; 413 where it is far too large for that."""
    limit = OBJECT_BYTES + FIELD_BYTES * fields
    if len(body) > limit:
        raise Problem(413, f"The body of one object is larger than {limit} bytes; send only its own fields.")
    return narrowed(parsed(body), fields)


def narrowed(value: Any, fields: int) -> Any:
    """An object with far too many fields keeps enough of them to be refused by name."""
    if not isinstance(value, dict) or len(value) <= fields + DETAILS:
        return value
    return dict(list(value.items())[: fields + DETAILS])
