"""Watched columns as numbers: what each is compared as, by its Arrow type and, for text, by its values."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.watching.counting import Counted, null_count

Kind = Literal["number", "level", "text", "time", "vector", "other", "void"]
Values = NDArray[np.float64]

MOST_LEVELS = 100
EXPECTED = 5.0  # rows of a level in the smaller side, below which a chi-square test is not exact (Cochran 1954)
LARGEST = 1e300  # in place of infinity
REST = "(other values)"
NONE: Values = np.empty(0)


@dataclass(frozen=True)
class Pair:
    """A column on both sides: numbers with NaN for null (codes of `levels`, lengths of texts), or vectors [n, m]."""

    name: str
    kind: Kind
    reference: Values
    window: Values
    levels: tuple[str, ...] = ()


def kind_of(dtype: pa.DataType) -> Kind:
    types = pa.types
    if types.is_dictionary(dtype):
        return kind_of(dtype.value_type)
    if types.is_fixed_size_list(dtype) and types.is_floating(dtype.value_type):
        return "vector"
    if types.is_boolean(dtype) or types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype):
        return "level"
    if types.is_integer(dtype) or types.is_floating(dtype) or types.is_decimal(dtype) or types.is_duration(dtype):
        return "number"
    if types.is_temporal(dtype):
        return "time"
    return "void" if types.is_null(dtype) else "other"


def paired(name: str, reference: Counted, window: Counted) -> Pair:
    """The column as it is compared; of kind void where a side holds no value, other where the sides do not match."""
    first, second = reference.sample[name], window.sample[name]
    kinds = kind_of(first.type), kind_of(second.type)
    if "void" in kinds or null_count(first) == len(first) or null_count(second) == len(second):
        return Pair(name, "void", NONE, NONE)
    if kinds == ("level", "level"):
        return _levels(name, first, second)
    if kinds == ("number", "number"):
        return Pair(name, "number", _numbers(first), _numbers(second))
    if kinds == ("vector", "vector") and first.type.list_size == second.type.list_size:
        return Pair(name, "vector", _vectors(first), _vectors(second))
    return Pair(name, "time" if kinds == ("time", "time") else "other", NONE, NONE)


def _numbers(column: pa.ChunkedArray) -> Values:
    column = _decoded(column)
    if pa.types.is_duration(column.type):
        column = column.cast(pa.int64())
    values: Values = column.cast(pa.float64(), safe=False).to_numpy()
    return np.clip(values, -LARGEST, LARGEST)


def _vectors(column: pa.ChunkedArray) -> Values:
    """[n, m]; a null vector is a row of NaN."""
    whole, size = column.combine_chunks(), column.type.list_size
    rows = np.full((len(whole), size), np.nan)
    rows[np.asarray(whole.is_valid())] = whole.flatten().to_numpy(zero_copy_only=False).reshape(-1, size)
    return rows


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _levels(name: str, reference: pa.ChunkedArray, window: pa.ChunkedArray) -> Pair:
    """Codes of the frequent levels, the rare ones pooled; the lengths of free text, most of whose values are rare.

    Which levels are frequent is a matter of both sides together, so that a test of the sides stays exact."""
    texts = [_decoded(side).cast(pa.large_string()) for side in (reference, window)]
    both = pa.chunked_array([*texts[0].chunks, *texts[1].chunks], pa.large_string()).drop_null()
    counts = sorted(pc.value_counts(both).to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    smaller = min(len(text) - text.null_count for text in texts)
    often = [one for one in counts[:MOST_LEVELS] if one["counts"] * smaller >= EXPECTED * len(both)]
    if 2 * sum(one["counts"] for one in often) < len(both):
        lengths = [_numbers(pc.utf8_length(text)) for text in texts]
        return Pair(name, "text", lengths[0], lengths[1])
    names = [one["values"] for one in often]
    return Pair(name, "level", _codes(texts[0], names), _codes(texts[1], names), (*names, REST))


def _codes(text: pa.ChunkedArray, names: list[str]) -> Values:
    codes = pc.fill_null(pc.index_in(text, pa.array(names, pa.large_string())), len(names))
    return _numbers(pc.if_else(pc.is_null(text), pa.scalar(None, pa.int32()), codes))
