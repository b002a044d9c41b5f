"""What a column of an unknown table seems to be, and the rule that a contract would have for it."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.sources import values
from tasks.sources.contracts import Column, Kind
from tasks.tables.specs import Task

LEVELS = 50  # more distinct texts than this are no category
KINDS: tuple[Kind, ...] = ("int", "float", "date", "bool", "str")  # the narrowest first; text takes all
IDENTIFIER = re.compile(r"(?i:(^|[_\s.-])(id|uuid|guid|key|nr|no|number|code|index)$|^unnamed_\d+$)|[a-z]I[Dd]$")


@dataclass
class Found:
    """One column of the file: its kind, its typed values, and what is to be done with it."""

    name: str
    kind: Kind
    typed: pa.ChunkedArray
    levels: list[Any]
    identifier: bool = False
    said: list[str] = field(default_factory=list)

    @property
    def nulls(self) -> float:
        return float(self.typed.null_count / max(len(self.typed), 1))

    @property
    def empty(self) -> bool:
        return not self.levels


def found(name: str, column: pa.ChunkedArray) -> Found:
    """The narrowest kind that every value fits; numbers with leading zeros stay text."""
    text = values.text_of(values.plain(column))
    padded = matches(text, r"^0\d+$")
    kinds = [kind for kind in KINDS if not (padded and kind in ("int", "float"))]
    parsed = ((kind, *values.parse(column, kind)) for kind in kinds)
    kind, typed, _ = next(found for found in parsed if not pc.any(found[2]).as_py())
    levels = pc.unique(typed).drop_null().to_pylist()
    result = Found(name, kind, typed, levels)
    if len(levels) == len(typed):
        named = bool(IDENTIFIER.search(name)) or padded
        counted = kind == "int" and max(levels) - min(levels) == len(levels) - 1
        coded = kind == "str" and not matches(text, r"\s")
        result.identifier = kind in ("int", "str") and (named or counted or coded)
    if padded:
        result.said.append(f"{name}: some values have leading zeros, so it is text, not a number")
    elif kind == "str":
        result.said += nearly(name, column)
    if kind == "date":
        result.said.append(
            f"{name}: dates; `split: {{by: time, column: {name}}}` in the recipe tests on the newest rows"
        )
    return result


def matches(text: pa.ChunkedArray, pattern: str) -> bool:
    """Whether any value does."""
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def nearly(name: str, column: pa.ChunkedArray) -> list[str]:
    """A text column that is nearly all numbers is worth a word: the few others would better be quarantined."""
    numbers, misfit = values.parse(column, "float")
    bad = pc.sum(misfit).as_py() or 0
    if not 0 < bad < 0.1 * (len(numbers) - numbers.null_count):
        return []
    example = column.filter(misfit)[0].as_py()
    return [
        f"{name}: {bad} values are no numbers (as {example!r}), so it is text; with `dtype: float64` in the contract "
        "it is a number, and those rows are quarantined"
    ]


def is_free_text(column: Found) -> bool:
    return column.kind == "str" and not column.identifier and len(column.levels) > LEVELS


def ruled(column: Found, task: Task | None) -> Column:
    """The rule for a column (`task` is the target's): its kind, levels or a range with room, and how many nulls."""
    classes = task in ("binary", "multiclass")
    text = column.kind == "str" and not column.identifier and len(column.levels) <= LEVELS
    number = column.kind in ("int", "float") and not column.identifier and not classes
    low, high = bounds(column) if number else (None, None)
    nullable = column.nulls > 0 and task is None
    return Column(
        dtype=column.kind,
        nullable=nullable,
        unique=column.identifier and task is None,
        min=low,
        max=high,
        levels=sorted(column.levels) if text or classes else None,
        null_share=min(1.0, math.ceil(column.nulls * 200 + 5) / 100) if nullable else None,
    )


def bounds(column: Found) -> tuple[int | float, int | float]:
    """The range that was seen, with its own width as room on both sides; what is never negative stays so."""
    low, high = min(column.levels), max(column.levels)
    room = (high - low) or abs(high) or 1
    start = 0 if low >= 0 else rounded(low - room, math.floor)
    return start, rounded(high + room, math.ceil)


def rounded(value: float, direction: Any) -> int | float:
    """Two significant digits, away from the values that were seen."""
    if value == 0:
        return 0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    result = round(direction(value / step) * step, 12)
    return int(result) if result == int(result) else result
