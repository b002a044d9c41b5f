"""From raw files to one table, typed by the contract; nothing is cast silently.

**What the contract check relies on.** The table has exactly the contract's columns, in the contract's order. A column
has the contract's type (`values.TYPES`) when every value of it fits; when even one does not, the *whole column stays
text*, each value as it stood in the file. `values.parse(column, dtype)` tells which values do not fit (a mask) and
gives the others typed: the check quarantines the rows of the mask and goes on with the typed rest. Text keeps its
leading zeros, an empty cell is null. `meta["files"]` lists [file, rows] in order: row n can be named by its file.
"""

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact
from tasks.errors import BadInput
from tasks.sources import values
from tasks.sources.catalog import Dataset
from tasks.sources.contracts import Contract, Kind
from tasks.sources.formats import open_table
from tasks.sources.frames import put_table
from tasks.sources.layout import Expected, expected_of
from tasks.sources.members import bytes_of, member_of
from tasks.sources.raw import Raw, RawFile


class Piece(BaseModel):
    """One file as it is to be read: no title, no address, no path, so that a change of these reads nothing again.

    Where the file came from stands in the artifact's `meta`, for messages.
    """

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    expected: Expected
    constant: dict[str, str]
    member: str | None

    @property
    def origin(self) -> str:
        return str(self.artifact.meta["origin"])


def pieces(raw: Raw, dataset: Dataset, contract: Contract) -> list[Piece]:
    """All that decides what the files are read as."""
    return [_piece(file, dataset, contract) for file in raw.files]


def read(pieces: list[Piece], contract: Contract) -> Artifact:
    """The table of a dataset (kind "tables"): its parts one below the other, typed by the contract."""
    tables = [_part(piece, contract) for piece in pieces]
    table = pa.table(
        {name: _column([part[name] for part in tables], column.dtype) for name, column in contract.columns.items()}
    )
    origins = [piece.origin for piece in pieces]
    if not table.num_rows:
        raise BadInput(f"{', '.join(origins)}: there is a header and no row below it; give a file with rows.")
    files = [[origin, part.num_rows] for origin, part in zip(origins, tables, strict=True)]
    return put_table("tables", table, {"files": files})


def _piece(file: RawFile, dataset: Dataset, contract: Contract) -> Piece:
    return Piece(
        artifact=file.artifact.model_copy(update={"meta": file.artifact.meta | {"origin": file.origin}}),
        expected=expected_of(dataset, contract, file.part),
        constant={dataset.part_column: file.part} if dataset.part_column in contract.columns else {},
        member=member_of(file, dataset),
    )


def _part(piece: Piece, contract: Contract) -> pa.Table:
    """The contract's columns of one file, not typed yet."""
    data = bytes_of(piece.artifact, piece.member, piece.origin)
    table, _ = open_table(data, piece.expected, piece.origin)
    for name, value in piece.constant.items():
        table = table.append_column(name, pa.repeat(value, table.num_rows))
    return table.select(list(contract.columns))


def _column(parts: list[pa.ChunkedArray], kind: Kind) -> pa.ChunkedArray:
    """One column over all parts; text where the parts disagree on its type."""
    parts = [values.plain(part) for part in parts]
    if len({part.type for part in parts}) > 1:
        parts = [values.text_of(part) for part in parts]
    chunks = [chunk for part in parts for chunk in part.chunks]
    return values.fitted(pa.chunked_array(chunks, parts[0].type), kind)
