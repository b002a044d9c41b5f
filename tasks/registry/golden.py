"""Golden requests: a release answers them as it did when it was made, numbers up to rounding."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def disagreements(cases: Iterable[Mapping[str, Any]], answer: Callable[[dict[str, Any]], Any]) -> list[str]:
    """What differs; [] where every case {"request", "answer"} is answered as written."""
    asked = [(number, case["answer"], answer(case["request"])) for number, case in enumerate(cases, start=1)]
    return [
        f"golden request {number} gives {got!r} instead of {expected!r}"
        for number, expected, got in asked
        if not agree(expected, got)
    ]


def agree(expected: Any, got: Any) -> bool:
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(agree(value, got[name]) for name, value in expected.items())
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(agree, expected, got))
    if isinstance(expected, float) and isinstance(got, int | float):
        return math.isclose(expected, got, rel_tol=1e-6, abs_tol=1e-9)
    return bool(expected == got)
