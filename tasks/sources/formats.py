"""CSV, Parquet and Excel bytes as an Arrow table; CSV and Excel as text, so that the contract alone sets the types."""

import datetime
import io
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from tasks.errors import BadInput
from tasks.sources.layout import (
    HEAD,
    SEARCHED,
    Expected,
    Format,
    Layout,
    check_columns,
    clean,
    decoded,
    header,
    kind_of,
    text_layout,
)

BAD_TYPES = ("list", "struct", "map", "binary", "union")


def open_table(data: bytes, expected: Expected, origin: str) -> tuple[pa.Table, Layout]:
    """All columns of a file; BadInput where it cannot be read or is not what was expected."""
    kind = kind_of(data[:HEAD], origin)
    if kind == "csv":
        layout = text_layout(data[:HEAD], expected, origin)
        return csv_table(data, layout, expected.encoding, origin), layout
    if kind == "parquet":
        return parquet_table(data, expected, origin)
    rows = excel_rows(data, kind, origin)
    skip, columns = header(rows[:SEARCHED], expected, origin)
    return rows_table(columns, rows[skip:]), Layout(kind, columns, skip)


def csv_table(data: bytes, layout: Layout, encoding: str, origin: str) -> pa.Table:
    text = decoded(data, encoding, origin, whole=True).removeprefix("\ufeff").encode()
    try:
        return _csv(text, layout, threads=True)
    except pa.ArrowInvalid:
        pass
    try:
        return _csv(text, layout, threads=False)  # one thread knows the number of the row
    except pa.ArrowInvalid as error:
        cause = " ".join(str(error).removeprefix("CSV parse error: ").split())[:300]
        raise BadInput(
            f"{origin} cannot be read as CSV: {cause}. Each row needs as many cells as the header; "
            "put quotes around cells that hold the separator."
        ) from None


def _csv(data: bytes, layout: Layout, threads: bool) -> pa.Table:
    return pv.read_csv(
        pa.BufferReader(data),
        read_options=pv.ReadOptions(column_names=list(layout.columns), skip_rows=layout.skip, use_threads=threads),
        parse_options=pv.ParseOptions(delimiter=layout.separator, newlines_in_values=True),
        convert_options=pv.ConvertOptions(
            column_types={name: pa.string() for name in layout.columns}, null_values=[""], strings_can_be_null=True
        ),
    )


def check_binary(path: Path, kind: Format, expected: Expected) -> None:
    """BadInput where the header of a Parquet or Excel file is not the expected one."""
    if kind != "parquet":
        header(excel_rows(path.read_bytes(), kind, str(path), limit=SEARCHED), expected, str(path))
        return
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError):
        raise BadInput(f"{path} is a damaged Parquet file; write it anew.") from None
    check_columns(clean(names), expected, str(path))


def parquet_table(data: bytes, expected: Expected, origin: str) -> tuple[pa.Table, Layout]:
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(
            f"{origin} is a damaged Parquet file ({' '.join(str(error).split())[:200]}); write it anew."
        ) from None
    table = table.rename_columns(clean(table.column_names))
    check_columns(table.column_names, expected, origin)
    for field in table.schema:
        if str(field.type).startswith(BAD_TYPES):
            raise BadInput(f"{origin}: the column {field.name!r} holds {field.type}; a table needs one value per cell.")
    return table, Layout("parquet", tuple(table.column_names), 0)


def excel_rows(data: bytes, kind: Format, origin: str, limit: int | None = None) -> list[list[str]]:
    """The cells of the first sheet as text, as a CSV would hold them."""
    import pandas as pd

    engine: Literal["xlrd", "openpyxl"] = "xlrd" if kind == "xls" else "openpyxl"
    damage: tuple[type[Exception], ...] = (
        ValueError,
        LookupError,
        OSError,
        AssertionError,
        struct.error,
        zipfile.BadZipFile,
        *_damage(kind),
    )
    try:
        frame = pd.read_excel(io.BytesIO(data), header=None, dtype=object, na_filter=False, engine=engine, nrows=limit)
    except damage as error:
        cause = " ".join(str(error).split())[:200]
        raise BadInput(f"{origin} cannot be read as Excel ({cause}); save it again as .xlsx or CSV.") from None
    if frame.empty:
        raise BadInput(f"The first sheet of {origin} is empty; put the table on the first sheet, with a header line.")
    return [[as_text(cell) or "" for cell in row] for row in frame.itertuples(index=False, name=None)]


def _damage(kind: Format) -> tuple[type[Exception], ...]:
    """What the reader of this format raises, beyond the usual, on a damaged file."""
    if kind == "xls":
        from xlrd.biffh import XLRDError  # type: ignore[import-untyped]
        from xlrd.compdoc import CompDocError  # type: ignore[import-untyped]

        return (XLRDError, CompDocError)
    from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

    return (InvalidFileException,)


def rows_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> pa.Table:
    cells = zip(*rows, strict=True) if rows else [[] for _ in columns]
    return pa.table({name: pa.array(list(column), pa.string()) for name, column in zip(columns, cells, strict=True)})


def as_text(value: Any) -> str | None:
    """A cell of a spreadsheet or database as a CSV holds it; numbers keep every digit."""
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return str(value)
