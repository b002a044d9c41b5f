"""From text, or another type, to the contract's type: only what fits without loss is taken, nothing is bent.

A value fits `float` when it is a finite decimal number, `int` when it is a whole number (`5.0` is 5), `bool` when it
is true/false, yes/no or 1/0, `date` when it is an ISO date with or without a time of day. In these, spaces around the
value do not count and NA, N/A, NaN, null and None are nulls, as an empty cell is. In `str` only the empty cell is null.
"""

import pyarrow as pa
import pyarrow.compute as pc

from tasks.sources.contracts import Kind

TYPES: dict[Kind, pa.DataType] = {
    "float": pa.float64(),
    "int": pa.int64(),
    "str": pa.string(),
    "bool": pa.bool_(),
    "date": pa.timestamp("us"),
}
MISSING = ["", "na", "n/a", "nan", "null", "none"]
TRUE, FALSE = ["true", "yes", "1", "1.0"], ["false", "no", "0", "0.0"]
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
WHOLE = r"^[+-]?\d{1,18}(\.0*)?$"
DATE = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?Z?)?$"


def parse(column: pa.ChunkedArray, kind: Kind) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The values as the kind's type (null where they do not fit), and a mask: true where a value does not fit."""
    column = plain(column)
    if column.type == TYPES[kind] and kind not in ("float", "str"):
        return column, _none(column)
    if kind == "int" and pa.types.is_floating(column.type) and (whole := _whole(column)) is not None:
        return whole, _none(column)
    text = text_of(column)
    if kind == "str":
        return text, _none(column)
    text = pc.utf8_trim_whitespace(text)
    lower = pc.utf8_lower(text)
    text = pc.if_else(pc.is_in(lower, pa.array(MISSING)), pa.scalar(None, pa.string()), text)
    values = {"float": _floats, "int": _ints, "bool": _bools, "date": _dates}[kind](text)
    misfit = pc.and_(pc.is_valid(text), pc.is_null(values))
    return values, misfit


def fitted(column: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
    """The column in the kind's type when every value fits, else the whole column as the text that was there."""
    values, misfit = parse(column, kind)
    return text_of(plain(column)) if pc.any(misfit).as_py() else values


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def text_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values as text, empty text as null."""
    text = column.cast(pa.string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _none(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(pc.is_null(column), pa.scalar(False))


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Floats that are whole numbers, as integers; None where one is not (Arrow's cast refuses to truncate)."""
    try:
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column).cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _where(text: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    return pc.if_else(pc.match_substring_regex(text, pattern), text, pa.scalar(None, pa.string()))


def _floats(text: pa.ChunkedArray) -> pa.ChunkedArray:
    numbers = _where(text, NUMBER).cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def _ints(text: pa.ChunkedArray) -> pa.ChunkedArray:
    digits = pc.replace_substring_regex(_where(text, WHOLE), r"\.0*$", "")
    return pc.utf8_ltrim(digits, characters="+").cast(pa.int64())


def _bools(text: pa.ChunkedArray) -> pa.ChunkedArray:
    lower = pc.utf8_lower(text)
    true, false = pc.is_in(lower, pa.array(TRUE)), pc.is_in(lower, pa.array(FALSE))
    return pc.if_else(pc.or_(true, false), true, pa.scalar(None, pa.bool_()))


def _dates(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """strptime takes 30 February for 2 March, so a moment must come back out as it went in."""
    text = pc.replace_substring_regex(_where(text, DATE), "[TZ]", " ")
    for short, full in ((r"^(.{10})$", r"\1 00:00:00"), (r"^(.{16}) ?$", r"\1:00"), (r"^(.{19}) ?$", r"\1.0")):
        text = pc.replace_substring_regex(text, short, full)
    whole = pc.utf8_slice_codeunits(text, 0, 19)
    micros = pc.utf8_rpad(pc.utf8_rtrim_whitespace(pc.utf8_slice_codeunits(text, 20, 26)), 6, "0").cast(pa.int64())
    seconds = pc.strptime(whole, format="%Y-%m-%d %H:%M:%S", unit="s", error_is_null=True)
    real = pc.equal(pc.strftime(seconds, format="%Y-%m-%d %H:%M:%S"), whole)
    moments = pc.add(pc.multiply(seconds.cast(pa.int64()), 1_000_000), micros).cast(TYPES["date"])
    return pc.if_else(real, moments, pa.scalar(None, TYPES["date"]))
