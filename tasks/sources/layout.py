"""How a file holds its table (format, encoding, separator, header line), read off its head and held to the catalog."""

import csv
import difflib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.errors import BadInput
from tasks.sources.catalog import Dataset
from tasks.sources.contracts import Contract

Format = Literal["csv", "parquet", "xlsx", "xls"]
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
HEAD = 1 << 16
SEARCHED = 5  # lines in which the header may stand


@dataclass(frozen=True)
class Expected:
    """What the catalog says of a file: needed columns, the others it may have (None: any), separator, encoding, and
    the names of the columns where the file has no header line."""

    needed: tuple[str, ...] = ()
    allowed: tuple[str, ...] | None = None
    separator: str | None = None
    encoding: str = "utf-8"
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """`skip` lines stand before the first row; `columns` are the names of its cells."""

    format: Format
    columns: tuple[str, ...]
    skip: int = 1
    separator: str = ","
    bom: bool = False


def expected_of(dataset: Dataset, contract: Contract, part: str) -> Expected:
    """What the catalog and the contract say of a file of this part."""
    return Expected(
        needed=tuple(name for name in contract.columns if name != dataset.part_column),
        allowed=tuple(dataset.drop) if contract.strict else None,
        separator=dataset.separator_of(part),
        encoding=dataset.encoding,
        names=tuple(dataset.columns),
    )


def kind_of(head: bytes, origin: str) -> Format:
    """The format by the first bytes; what is no table is refused."""
    if not head.strip():
        raise BadInput(f"{origin} is empty; give a file with a header line and rows.")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return "xls"
    if head.startswith(b"PK"):
        if b"[Content_Types].xml" in head or b"xl/" in head:
            return "xlsx"
        raise BadInput(f"{origin} is a zip archive; unpack it and give the CSV, Parquet or Excel file inside.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{origin} is UTF-16 text; save it as UTF-8 (in a spreadsheet: CSV UTF-8).")
    if head.startswith(b"\x1f\x8b") or b"\0" in head:
        raise BadInput(f"{origin} is neither text nor Parquet nor Excel (compressed?); unpack or export it first.")
    return "csv"


def text_layout(head: bytes, expected: Expected, origin: str) -> Layout:
    """The layout of a CSV file from its first bytes."""
    bom = head.startswith(b"\xef\xbb\xbf")
    text = decoded(head, expected.encoding, origin)
    lines = [line for line in text.lstrip("\ufeff").splitlines()[:SEARCHED] if line.strip()]
    separator = expected.separator or sniff(lines, expected)
    rows = _cells(lines, separator)
    skip, columns = header(rows, expected, origin, _hint(lines, separator, expected))
    return Layout("csv", columns, skip, separator, bom)


def decoded(data: bytes, encoding: str, origin: str, whole: bool = False) -> str:
    """The text; the end of a head may cut a character, a whole file's end may not."""
    try:
        return data.decode(encoding)
    except LookupError:
        raise BadInput(f"{origin}: there is no encoding {encoding!r}; use utf-8, cp1252 or latin-1.") from None
    except UnicodeDecodeError as error:
        if not whole and error.start >= HEAD - 4:
            return data[: error.start].decode(encoding)
        line = data.count(b"\n", 0, error.start) + 1
        guess = data[error.start : error.start + 1].decode("cp1252", "replace")
        raise BadInput(
            f"{origin} is not {encoding.upper()}: line {line} has the byte 0x{data[error.start]:02x} "
            f"(in Windows-1252 that is {guess!r}); save the file as UTF-8, or put `encoding: cp1252` into the dataset."
        ) from None


def sniff(lines: Sequence[str], expected: Expected) -> str:
    """The separator that gives the expected header, else the one that cuts all lines into the most cells."""

    def score(separator: str) -> tuple[int, int, int]:
        rows = _cells(lines, separator)
        found = max((len(set(expected.needed) & set(clean(row))) for row in rows), default=0)
        widths = Counter(len(row) for row in rows)
        width, count = widths.most_common(1)[0]
        return found, count if width > 1 else 0, width

    return max(SEPARATORS, key=score) if lines else ","


def header(
    rows: Sequence[Sequence[str]], expected: Expected, origin: str, hint: str = ""
) -> tuple[int, tuple[str, ...]]:
    """The number of lines before the first row, and the names of the columns; BadInput where they do not fit."""
    needed = set(expected.needed)
    named = [clean(row) for row in rows]
    skip = next((number for number, row in enumerate(named, 1) if needed <= set(row)), 1)
    if needed and not needed <= set(named[skip - 1]) and expected.names and len(rows[0]) == len(expected.names):
        skip, columns = 0, expected.names
    else:
        columns = tuple(named[skip - 1])
    check_columns(columns, expected, origin, hint)
    return skip, columns


def check_columns(columns: Sequence[str], expected: Expected, origin: str, hint: str = "") -> None:
    """BadInput for columns that are there twice, missing or too many."""
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        raise BadInput(f"{origin} has the column {_list(twice)} more than once; give each column a name of its own.")
    if missing := [name for name in expected.needed if name not in columns]:
        there = f"its header line has {_list(columns)}"
        raise BadInput(f"{origin} lacks the column {_list(missing)}; {there}. {hint or 'Rename or add the columns.'}")
    if expected.allowed is None:
        return
    if extra := [name for name in columns if name not in {*expected.needed, *expected.allowed}]:
        raise BadInput(
            f"{origin} has the column {_list(extra)}, which the contract does not know; "
            "name it in the dataset's `drop`, or add it to the contract."
        )


def clean(row: Sequence[str]) -> list[str]:
    """Names without the spaces around them; a cell without a name is called by its place."""
    return [name.strip() or f"unnamed_{number}" for number, name in enumerate(row, 1)]


def read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _hint(lines: Sequence[str], separator: str, expected: Expected) -> str:
    """A word on the separator, where another one cuts the header better."""
    best = sniff(lines, Expected(expected.needed))
    if not lines or best == separator or len(_cells(lines, separator)[0]) >= len(_cells(lines, best)[0]):
        return ""
    return (
        f"It looks separated by {SEPARATORS[best]}, and {SEPARATORS.get(separator, repr(separator))} was expected: "
        f"put `separator: {best!r}` in the dataset's YAML, or save the file with the other separator."
    )


def _cells(lines: Sequence[str], separator: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(repr(name) for name in names[:8]) + more


def header_hint(name: str, names: Sequence[str]) -> str:
    """The nearest column to a name that is not there."""
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else "Name one of them."
