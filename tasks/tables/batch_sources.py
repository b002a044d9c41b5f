"""Where rows to be scored come from: a CSV, Parquet or Excel file, or a query; in batches, as they stand there."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from tasks.artifacts import opened
from tasks.errors import BadInput
from tasks.sources import database, values
from tasks.sources.catalog import expand, holds_secret, masked
from tasks.sources.formats import open_table
from tasks.sources.layout import Expected, Layout, check_columns, clean, kind_of, read_head, text_layout

BATCH = 20_000  # rows
BLOCK = 1 << 20  # bytes of CSV text; pyarrow reads 32 of them ahead
FORMATS = (".parquet", ".csv")


@dataclass(frozen=True)
class Rows:
    """The columns of a source, and its rows in order."""

    origin: str
    schema: pa.Schema
    batches: Callable[[], Iterator[pa.Table]]


def check(source: str, query: str | None, to: Path) -> None:
    """BadInput for what cannot work, before anything is started or asked."""
    if is_address(source):
        _check_address(source, query)
    elif query is not None:
        raise BadInput(f"--query goes with a database's address, and {source} is a file; leave the query out.")
    elif not Path(source).is_file():
        what = "is a folder; name one file in it" if Path(source).is_dir() else "does not exist; check the path"
        raise BadInput(f"{source} {what}.")
    if to.suffix not in FORMATS or to.is_dir():
        raise BadInput(f"--to {to} must name a file that ends in {' or '.join(FORMATS)}.")
    if Path(source).resolve() == to.resolve():
        raise BadInput(f"--to {to} is the file that is read; give the answers a name of their own.")


def is_address(source: str) -> bool:
    return "://" in source


def fetch(source: str, query: str | None, folder: Path) -> Path:
    """The file to read: the source itself, or the rows of the query in a Parquet file in `folder`."""
    if query is None:
        return Path(source)
    with opened(folder) as store:
        return store.path(database.query(expand(source), query))


def open_rows(path: Path, origin: str, expected: Expected) -> Rows:
    """The rows of a file; `origin` is what messages call it. BadInput where it cannot be read or lacks a column."""
    head = read_head(path)
    kind = kind_of(head, origin)
    if kind == "csv":
        layout = text_layout(head, expected, origin)
        schema = pa.schema([(name, pa.string()) for name in layout.columns])
        return Rows(origin, schema, lambda: _csv(path, layout, expected.encoding, origin))
    if kind == "parquet":
        return _parquet(path, expected, origin)
    cells, _ = open_table(path.read_bytes(), expected, origin)
    table = pa.table({name: values.text_of(cells[name]) for name in cells.column_names})
    return Rows(origin, table.schema, lambda: iter([table]))


def _check_address(source: str, query: str | None) -> None:
    shown = masked(source)
    if query is None:
        raise BadInput(
            f"{shown} is an address: for a database say --query too, as in --query 'SELECT * FROM applications'; "
            "what lies behind a web address must be downloaded first."
        )
    if holds_secret(source):
        raise BadInput(
            f"The address {shown} holds a password, which the record of the run would keep; put it into a variable of "
            "the environment and write ${NAME} in its place."
        )


def _csv(path: Path, layout: Layout, encoding: str, origin: str) -> Iterator[pa.Table]:
    """All cells as text; read by one thread, which knows the number of a row that cannot be read."""
    try:
        reader = pv.open_csv(
            path,
            read_options=pv.ReadOptions(
                column_names=list(layout.columns),
                skip_rows=layout.skip,
                use_threads=False,
                block_size=BLOCK,
                encoding=encoding,
            ),
            parse_options=pv.ParseOptions(delimiter=layout.separator, newlines_in_values=True),
            convert_options=pv.ConvertOptions(
                column_types={name: pa.string() for name in layout.columns}, null_values=[""], strings_can_be_null=True
            ),
        )
        for batch in reader:
            table = pa.Table.from_batches([batch])
            yield from (table.slice(start, BATCH) for start in range(0, table.num_rows, BATCH))
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        if not str(error).startswith("Could not skip initial"):  # the header line is all there is
            raise BadInput(_told(str(error), layout, origin)) from None


def _told(cause: str, layout: Layout, origin: str) -> str:
    if "straddling" in cause:
        return f"{origin} has a row of more than {BLOCK >> 20} MiB; is a quote opened there and never closed?"
    if "UTF8" in cause or "decode" in cause:
        place = re.search(r"Row #(\d+)", cause)
        where = f", row {int(place[1]) - layout.skip}," if place else ""
        return f"{origin}{where} is not text in the encoding that was expected; save the file as UTF-8."
    cause = re.sub(r"Row #(\d+)", lambda match: f"row {int(match[1]) - layout.skip}", cause)
    return (
        f"{origin} cannot be read as CSV: {' '.join(cause.removeprefix('CSV parse error: ').split())[:300]}. Each row "
        "needs as many cells as the header; put quotes around cells that hold the separator, and close each."
    )


def _parquet(path: Path, expected: Expected, origin: str) -> Rows:
    with _readable(path, origin) as file:
        schema = file.schema_arrow
    names = clean(schema.names)
    check_columns(names, expected, origin)

    def batches() -> Iterator[pa.Table]:
        with _readable(path, origin) as file:
            try:
                for batch in file.iter_batches(BATCH):
                    yield pa.Table.from_batches([batch]).rename_columns(names)
            except (pa.ArrowInvalid, OSError) as error:
                raise BadInput(_damaged(origin, error)) from None

    return Rows(origin, pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)]), batches)


def _readable(path: Path, origin: str) -> pq.ParquetFile:
    """Read piece by piece: buffered ahead, as it is by default, the whole file would end up in memory."""
    try:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=BLOCK)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(_damaged(origin, error)) from None


def _damaged(origin: str, error: Exception) -> str:
    return f"{origin} is a damaged Parquet file ({' '.join(str(error).split())[:200]}); write it anew."
