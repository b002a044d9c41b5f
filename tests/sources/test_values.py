"""What fits a type, what does not, and that nothing is bent on the way."""

import math
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.sources.contracts import Kind
from tasks.sources.values import TYPES, fitted, parse


def parsed(values: list[Any], kind: Kind) -> tuple[list[Any], list[bool]]:
    typed, misfit = parse(pa.chunked_array([pa.array(values)]), kind)
    assert typed.type == TYPES[kind]
    return typed.to_pylist(), misfit.to_pylist()


@pytest.mark.parametrize(
    ("kind", "fits", "misfits"),
    [
        (
            "float",
            {"1": 1.0, " 2.5 ": 2.5, "+3": 3.0, ".5": 0.5, "1e-3": 0.001},
            ["abc", "1,5", "inf", "1e999", "0x10", "1 2"],
        ),
        ("int", {"7": 7, "-3": -3, "007": 7, "5.0": 5, "+4": 4}, ["5.5", "1e3", "99999999999999999999", "0x1F", "x"]),
        ("bool", {"true": True, "No": False, "1": True, "0.0": False}, ["2", "maybe", "wahr"]),
        (
            "date",
            {
                "2024-02-29": datetime(2024, 2, 29),
                "2024-01-01 12:30": datetime(2024, 1, 1, 12, 30),
                "2024-01-01T12:30:05.25Z": datetime(2024, 1, 1, 12, 30, 5, 250_000),
            },
            ["2024-02-30", "2023-02-29", "01/02/2024", "2024-01-01 25:00", "2024-13-01", "20240101"],
        ),
    ],
)
def test_text_that_fits_and_text_that_does_not(kind: Kind, fits: dict[str, Any], misfits: list[str]) -> None:
    assert parsed(list(fits), kind) == (list(fits.values()), [False] * len(fits))
    assert parsed(misfits, kind) == ([None] * len(misfits), [True] * len(misfits))


@pytest.mark.parametrize("kind", ["float", "int", "bool", "date"])
def test_missing_is_missing_and_no_misfit(kind: Kind) -> None:
    assert parsed(["", "NA", "nan", "NULL", "None", "n/a", None], kind) == ([None] * 7, [False] * 7)


def test_text_keeps_zeros_spaces_and_the_word_na() -> None:
    assert parsed(["007", " a ", "NA", "", None], "str") == (["007", " a ", "NA", None, None], [False] * 5)


def test_other_types_go_over_without_loss_or_not_at_all() -> None:
    assert parsed([1.0, 2.0, math.nan], "int") == ([1, 2, None], [False] * 3)
    assert parsed([1.5, 2.0, math.inf], "int") == ([None, 2, None], [True, False, True])
    assert parsed([1.5, math.inf, math.nan], "float") == ([1.5, None, None], [False, True, False])
    assert parsed([2**53], "float") == ([float(2**53)], [False])
    assert parsed([date(2024, 1, 2)], "date") == ([datetime(2024, 1, 2)], [False])
    assert parsed([1, 0, 2], "bool") == ([True, False, None], [False, False, True])
    assert parsed([12, None], "str") == (["12", None], [False, False])


def test_a_column_with_one_misfit_stays_as_it_was() -> None:
    column = pa.chunked_array([["1", " 2"], ["abc", ""]])
    assert fitted(column, "float").to_pylist() == ["1", " 2", "abc", None]
    assert fitted(column.slice(0, 2), "float").to_pylist() == [1.0, 2.0]


def test_dictionaries_and_empty_columns() -> None:
    assert fitted(pa.chunked_array([pa.array(["1", "2", "1"]).dictionary_encode()]), "int").to_pylist() == [1, 2, 1]
    assert fitted(pa.chunked_array([], pa.string()), "date").type == TYPES["date"]
    assert fitted(pa.chunked_array([pa.nulls(3)]), "bool").to_pylist() == [None] * 3


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_float_survives_its_text(numbers: list[float]) -> None:
    assert parsed([repr(number) for number in numbers], "float") == (numbers, [False] * len(numbers))


@given(st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1)), min_size=1))
def test_every_moment_survives_its_text(moments: list[datetime]) -> None:
    assert parsed([str(moment) for moment in moments], "date") == (moments, [False] * len(moments))


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1),
    st.sampled_from(["float", "int", "bool", "date"]),
)
def test_any_text_is_a_value_a_null_or_a_misfit(texts: list[str], kind: Kind) -> None:
    typed, misfit = parsed(texts, kind)
    for text, value, bad in zip(texts, typed, misfit, strict=True):
        assert (value is None) or not bad
        if bad:
            assert text.strip()
