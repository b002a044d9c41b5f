"""Field types that services share."""

from typing import Any

from pydantic import BeforeValidator


def _whole(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


# in JSON 5.0 is an integer, and clients without integers send it so
Whole = BeforeValidator(_whole)
