"""Tables in the store: Parquet files whose digest is that of their content, column by column.

The same rows give the same digest from CSV or Parquet, under any codec, chunking, slicing or dictionary encoding, and
after a way through pandas: NaN counts as null, -0.0 as 0.0, timestamps are in microseconds where that loses nothing.
"""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.errors import BadInput


def table_digest(table: pa.Table) -> tuple[str, dict[str, str]]:
    """The digest of the content and the digest of each column.

    Method: per column sha256 over type, length, null count, packed validity and canonical buffers; the table's is
    the sha256 of the JSON list of [name, digest], so names and order of the columns count.
    """
    columns = {name: _digest(_plain(table.column(index))) for index, name in enumerate(table.column_names)}
    return sha256(canonical([[name, columns[name]] for name in table.column_names])), columns


def put_table(kind: str, table: pa.Table, meta: Mapping[str, Any] | None = None) -> Artifact:
    """Store a table as Parquet; `meta` gets its rows and the digests of its columns."""
    store = current()
    table = normal(table)
    digest, columns = table_digest(table)
    facts = dict(meta or {}) | {"rows": table.num_rows, "columns": columns}
    held = store.place(f"{kind}/{digest[:2]}/{digest}.parquet")
    if _holds(held, digest):
        # another pyarrow writes other bytes for the same rows: references to the file that is there stay good
        return store.put_file(kind, held, ".parquet", digest, facts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        pq.write_table(table, path, compression="zstd")
        return store.put_file(kind, path, ".parquet", digest, facts)


def read_table(artifact: Artifact, columns: Sequence[str] | None = None) -> pa.Table:
    """The table, or the named columns of it in that order."""
    return pq.read_table(current().path(artifact), columns=list(columns) if columns is not None else None)


def normal(table: pa.Table) -> pa.Table:
    """The one form of a table that is stored: plain types, one chunk per column, no metadata of other libraries."""
    if len(set(table.column_names)) < table.num_columns:
        raise BadInput(f"A table needs distinct column names; this one has {', '.join(table.column_names)}. Rename.")
    return pa.table({name: _plain(table.column(name)) for name in table.column_names})


def _plain(column: pa.ChunkedArray) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_large_string(kind) or kind == pa.string_view():
        column = column.cast(pa.string()) if column.nbytes < 2**31 else column
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_floating(kind):
        array = pc.if_else(pc.fill_null(pc.is_nan(array), True), pa.scalar(None, kind), array)
        array = pc.if_else(pc.equal(array, pa.scalar(0.0, kind)), pa.scalar(0.0, kind), array)
    if pa.types.is_timestamp(kind) and kind.unit != "us":
        array = _microseconds(array)
    return array


def _microseconds(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.timestamp("us", array.type.tz))
    except pa.ArrowInvalid:
        return array


def _digest(array: pa.Array) -> str:
    kind = "string" if pa.types.is_large_string(array.type) else str(array.type)
    digest = hashlib.sha256(f"{kind}|{len(array)}|{array.null_count}|".encode())
    if array.null_count:
        digest.update(np.packbits(np.asarray(array.is_valid().to_numpy(zero_copy_only=False))).tobytes())
    for part in _buffers(array):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _buffers(array: pa.Array) -> list[np.ndarray[Any, Any]]:
    """The values as canonical arrays: nulls filled, offsets of strings as lengths."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        return _characters(array)
    if pa.types.is_null(kind):
        return []
    if pa.types.is_boolean(kind):
        return [pc.fill_null(array, False).cast(pa.uint8()).to_numpy()]
    if pa.types.is_decimal(kind):
        return _characters(array.cast(pa.string()))
    if pa.types.is_temporal(kind):
        array = array.view(pa.int32() if kind.bit_width == 32 else pa.int64())
    elif pa.types.is_fixed_size_list(kind):
        return _buffers(array.flatten())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise BadInput(f"A column of type {kind} cannot be stored; turn it into numbers, text or dates first.")
    return [pc.fill_null(array, 0).to_numpy()]


def _characters(array: pa.Array) -> list[np.ndarray[Any, Any]]:
    wide = pa.large_binary()
    array = pc.fill_null(array.cast(wide), b"")
    _validity, offsets, data = array.buffers()
    if len(array) == 0 or offsets is None:
        return []
    bounds = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    characters = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]] if data is not None else np.empty(0, np.uint8)
    return [np.diff(bounds), characters]


def _holds(path: Path, digest: str) -> bool:
    """Whether the file there has this content, whoever wrote it."""
    try:
        return table_digest(pq.read_table(path))[0] == digest
    except (FileNotFoundError, pa.ArrowInvalid, OSError):
        return False
