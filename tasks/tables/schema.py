"""The input fields of a tabular release as `release.json` states them: one list for service, predictor and reports."""

from typing import Literal

from pydantic import BaseModel

Dtype = Literal["float", "int", "str", "bool", "date"]


class Field(BaseModel, frozen=True):
    """One column of a request; dates travel as ISO text. `personal`: what is done to it before it is logged."""

    name: str
    dtype: Dtype
    nullable: bool = False
    levels: list[str] | None = None
    min: float | None = None
    max: float | None = None
    personal: Literal["hash", "drop"] | None = None
    example: str | int | float | bool | None = None
