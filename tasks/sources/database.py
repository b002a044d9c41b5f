"""Rows of an SQL query, streamed to Parquet as text, so that the contract types them as it types a CSV."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput, Unavailable
from tasks.sources.catalog import ONE, Dataset, SqlSource, expand, masked
from tasks.sources.formats import as_text, rows_table
from tasks.sources.raw import RawFile
from tasks.sources.state import held, hold, remote_key

BATCH = 20_000


def fetch_sql(dataset: Dataset, max_age: float) -> RawFile:
    """The rows of the query, asked again when what was held is older than `max_age` hours."""
    assert isinstance(dataset.source, SqlSource)
    source, key = dataset.source, remote_key(dataset, ONE)
    known = held(key, max_age)
    artifact = known.artifact if known else query(expand(source.url), source.query)
    if not known:
        hold(key, artifact)
    return RawFile(part=ONE, origin=masked(source.url), artifact=artifact, fetched=True)


def query(url: str, statement: str) -> Artifact:
    """The result of a query as a Parquet artifact; never more than a batch of rows in memory."""
    try:
        address = sqlalchemy.make_url(url)
        engine = sqlalchemy.create_engine(address)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise BadInput(
            f"The database address cannot be used ({type(error).__name__}); write it as SQLAlchemy does, as in "
            "postgresql+psycopg://USER:${PASSWORD}@HOST/DATABASE, and install that driver."
        ) from None
    shown = masked(address.render_as_string(hide_password=True))
    try:
        with tempfile.TemporaryDirectory() as folder, _connected(engine, shown) as connection:
            path = Path(folder) / "rows.parquet"
            _stream(connection, statement, path)
            return current().put_file("raw", path, ".parquet")
    except SQLAlchemyError as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise Unavailable(f"The database {shown} broke off: {_cause(error)}. Try again later.") from None
        raise BadInput(f"The query on {shown} failed: {_cause(error)}. Correct the dataset's query.") from None
    finally:
        engine.dispose()


def _connected(engine: sqlalchemy.Engine, shown: str) -> sqlalchemy.Connection:
    try:
        return engine.connect()
    except SQLAlchemyError as error:
        raise Unavailable(
            f"The database {shown} cannot be reached: {_cause(error)}. Is it up, is the login right?"
        ) from None


def _stream(connection: sqlalchemy.Connection, statement: str, path: Path) -> None:
    result = connection.execution_options(stream_results=True, max_row_buffer=BATCH).execute(sqlalchemy.text(statement))
    columns = list(result.keys())
    if twice := {name for name in columns if columns.count(name) > 1}:
        raise BadInput(f"The query gives the column {min(twice)!r} twice; name each column once (`AS`).")
    with pq.ParquetWriter(path, pa.schema([(name, pa.string()) for name in columns])) as writer:
        for batch in result.partitions(BATCH):
            writer.write_table(rows_table(columns, [[as_text(value) for value in row] for row in batch]))


def _cause(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(cause).split())[:300].rstrip(".")
