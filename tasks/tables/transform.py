"""Rows to numbers, one code for training and service: levels and medians come from the training part only.

Kept free of pandas and pyarrow: this module goes into the service's image.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from tasks.errors import BadInput

NAN = math.nan
EPOCH = date(1970, 1, 1).toordinal()

Matrix = NDArray[np.float64]
Kind = Literal["number", "flag", "level", "date"]


class Column(BaseModel, frozen=True):
    """How one input becomes one float; `median`, `scale` and `missing` serve the linear model's expansion."""

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    median: float = 0.0
    scale: float = 1.0
    missing: bool = False


class Transform(BaseModel, frozen=True):
    """The columns in the model's order; `encode_row` and `encode_columns` agree value by value."""

    schema_version: Literal[1] = 1
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @cached_property
    def categorical(self) -> list[int]:
        """Positions of the level columns: LightGBM takes them as native categories."""
        return [place for place, column in enumerate(self.columns) if column.kind == "level"]

    @cached_property
    def _encoders(self) -> list[tuple[str, Callable[[Any], float]]]:
        return [(column.name, _encoder(column)) for column in self.columns]

    def encode_row(self, row: Mapping[str, Any]) -> list[float]:
        """One row as floats; missing keys, None, NaN, infinities and unseen levels become NaN."""
        try:
            return [NAN if (value := row.get(name)) is None else encode(value) for name, encode in self._encoders]
        except (TypeError, ValueError):
            raise BadInput(_misfit(self._encoders, row)) from None

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Matrix:
        return np.array([self.encode_row(row) for row in rows], dtype=np.float64).reshape(len(rows), len(self.columns))

    def encode_columns(self, columns: Mapping[str, NDArray[Any]]) -> Matrix:
        """Whole columns, shape (rows, columns); every column of the transform must be there."""
        absent = [name for name in self.names if name not in columns]
        if absent:
            raise BadInput(
                f"The table lacks the columns {', '.join(absent)} that the model was trained on; add them, or retrain."
            )
        encoded = [_encode_column(column, columns[column.name]) for column in self.columns]
        return np.column_stack(encoded) if encoded else np.empty((0, 0))

    def unseen(self, row: Mapping[str, Any]) -> list[str]:
        """The row's levels that training never saw, as `column=level`."""
        found = []
        for place in self.categorical:
            name, encode = self._encoders[place]
            value = row.get(name)
            if value is not None and math.isnan(encode(value)):
                found.append(f"{name}={value}")
        return found

    def count_unseen(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, int]:
        """How many rows carry each unseen level, by `column=level`."""
        counts: Counter[str] = Counter()
        for column in self.columns:
            if column.kind == "level":
                values = Counter(columns[column.name].tolist())
                unseen = set(values) - set(column.levels) - {None}
                counts.update({f"{column.name}={value}": values[value] for value in unseen})
        return dict(counts)

    @cached_property
    def expanded(self) -> list[tuple[int, str]]:
        """The linear model's terms in order: (position of the column, name of the term)."""
        numbers = [(place, self.columns[place].name) for place in self._numbers]
        absent = [(place, f"{self.columns[place].name} is missing") for place in self._absent]
        levels = [(p, f"{self.columns[p].name}={level}") for p in self.categorical for level in self.columns[p].levels]
        return numbers + absent + levels

    def expand(self, matrix: Matrix) -> Matrix:
        """Encoded rows to the linear model's terms: centred and scaled numbers, missing marks, one-hot levels."""
        numbers = (matrix[:, self._numbers] - self._medians) / self._scales
        absent = np.isnan(matrix[:, self._absent])
        levels = [matrix[:, [place]] == np.arange(len(self.columns[place].levels)) for place in self.categorical]
        return np.hstack([np.nan_to_num(numbers, nan=0.0), absent, *levels]).astype(np.float64)

    @cached_property
    def _numbers(self) -> list[int]:
        return [place for place, column in enumerate(self.columns) if column.kind != "level"]

    @cached_property
    def _absent(self) -> list[int]:
        return [place for place in self._numbers if self.columns[place].missing]

    @cached_property
    def _medians(self) -> Matrix:
        return np.array([self.columns[place].median for place in self._numbers])

    @cached_property
    def _scales(self) -> Matrix:
        return np.array([self.columns[place].scale for place in self._numbers])


def _encoder(column: Column) -> Callable[[Any], float]:
    if column.kind == "level":
        codes = {level: float(code) for code, level in enumerate(column.levels)}
        return lambda value: codes.get(value, NAN) if isinstance(value, str) else _refuse(value)
    return _days if column.kind == "date" else _number


def _number(value: Any) -> float:
    if isinstance(value, str):
        return _refuse(value)
    number = float(value)
    return number if math.isfinite(number) else NAN


def _days(value: Any) -> float:
    """Days since 1970 of a date or of its ISO text."""
    day = value if isinstance(value, date) else date.fromisoformat(value[:10])
    return float(day.toordinal() - EPOCH)


def _refuse(value: Any) -> float:
    raise TypeError(f"{type(value).__name__} does not fit")


def _misfit(encoders: Sequence[tuple[str, Callable[[Any], float]]], row: Mapping[str, Any]) -> str:
    for name, encode in encoders:
        value = row.get(name)
        try:
            if value is not None:
                encode(value)
        except (TypeError, ValueError):
            wanted = "a number" if encode is _number else "a date like 2024-03-31" if encode is _days else "text"
            return (
                f"The column {name} takes {wanted}, but the row has {value!r}; send {wanted}, or null if it is unknown."
            )
    raise AssertionError("every value fits")


def _encode_column(column: Column, values: NDArray[Any]) -> Matrix:
    if column.kind == "level":
        if values.dtype != object:
            raise BadInput(f"The column {column.name} was text in training and now holds {values.dtype}; make it text.")
        codes = {level: float(code) for code, level in enumerate(column.levels)}
        return np.array([codes.get(value, NAN) for value in values.tolist()], dtype=np.float64)
    if column.kind == "date":
        return _encode_dates(column.name, values)
    if values.dtype == object and any(isinstance(value, str) for value in values):
        sample = next(value for value in values if isinstance(value, str))
        raise BadInput(
            f"The column {column.name} holds text ({sample!r}) where the model takes numbers; convert it first."
        )
    numbers = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, NAN)


def _encode_dates(name: str, values: NDArray[Any]) -> Matrix:
    try:
        days = values.astype("datetime64[D]")
    except (TypeError, ValueError):
        raise BadInput(f"The column {name} does not hold dates like 2024-03-31; convert it first.") from None
    return np.where(np.isnat(days), NAN, days.astype(np.int64).astype(np.float64))
