"""Columns as JSON texts, one object per row, the fields as `/predict` has them; no row is looked at in Python."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tasks.tables.requests import plain

SHARE = "probability_"  # before the class, in the columns of batch scoring


def objects(table: pa.Table) -> pa.Array:
    """Each row as `{"column": value, ...}`; null where the cell is empty."""
    return _object({name: texts(table[name]) for name in table.column_names}, len(table))


def outputs(answers: Mapping[str, pa.Array], shown: Callable[[Iterable[str]], list[str]] = list) -> pa.Array:
    """The answer columns of batch scoring as a service answers: shares of classes as `probabilities`, and `unseen`
    levels, as `shown`, only where there are any."""
    size = len(answers["prediction"])
    found = {name: texts(answers[name]) for name in ("prediction", "probability") if name in answers}
    shares = {name.removeprefix(SHARE): texts(column) for name, column in answers.items() if name.startswith(SHARE)}
    if shares:
        found["probabilities"] = _object(shares, size)
    levels = by_value(answers["unseen"], lambda text: orjson.dumps(shown(text.split("; "))).decode())
    without, within = _object(found, size), _object(found | {"unseen": levels}, size)
    return pc.if_else(pc.is_valid(levels), within, without) if levels.null_count < size else without


def texts(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Each value as JSON."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        found = _flat(column.cast(pa.string()))
    elif pa.types.is_timestamp(kind):
        found = _dates(column)
    else:
        found = by_value(column, lambda value: orjson.dumps(plain(value)).decode())
    return pc.fill_null(found, "null")


def _dates(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Days at once; where one has a time of day, value by value."""
    try:
        days = _flat(column.cast(pa.date32()).cast(pa.string()))
    except pa.ArrowInvalid:
        return by_value(column, lambda value: orjson.dumps(plain(value)).decode())
    return pc.binary_join_element_wise('"', days, '"', "")


def by_value(column: pa.ChunkedArray | pa.Array, work: Callable[[Any], str]) -> pa.Array:
    """`work` done once to each of the different values."""
    coded = _flat(column).dictionary_encode()
    return pa.array(map(work, coded.dictionary.to_pylist()), pa.string()).take(coded.indices)


def _object(fields: Mapping[str, pa.Array], size: int) -> pa.Array:
    pieces: list[Any] = []
    for number, (name, values) in enumerate(fields.items()):
        pieces += [f"{',' if number else '{'}{orjson.dumps(name).decode()}:", values]
    if not pieces:
        return pa.repeat("{}", size)
    return pc.binary_join_element_wise(*pieces, "}", "", null_handling="emit_null")


def _flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
