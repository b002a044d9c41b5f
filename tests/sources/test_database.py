"""Rows of a real database (SQLite), typed by the contract, without its password anywhere."""

import datetime
from pathlib import Path

import pytest
import sqlalchemy

from tasks.artifacts import Store
from tasks.errors import BadInput, Unavailable
from tasks.sources import database
from tasks.sources.fetch import fetch, source_state
from tasks.sources.frames import read_table
from tasks.sources.reading import pieces, read
from tests.sources.projects import project

COLUMNS = {
    "id": {"dtype": "str"},
    "size": {"dtype": "float64", "nullable": True},
    "day": {"dtype": "datetime64[ns]"},
    "many": {"dtype": "int64"},
}
QUERY = "SELECT id, size, day, many FROM things ORDER BY id"


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/db.sqlite"
    add(url, "CREATE TABLE things (id TEXT, size REAL, day TEXT, many INTEGER)")
    add(url, "INSERT INTO things VALUES ('007', 0.1, '2024-02-29', 9007199254740993), ('008', NULL, '2024-03-01', 2)")
    return url


def add(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(statement))
    engine.dispose()


def test_rows_keep_every_digit(tmp_path: Path, store: Store, url: str) -> None:
    dataset, contract = project(tmp_path, {"type": "sql", "url": url, "query": QUERY}, COLUMNS)
    table = read_table(read(pieces(fetch(dataset, {}), dataset, contract), contract))
    days = [datetime.datetime(2024, 2, 29), datetime.datetime(2024, 3, 1)]
    assert table.to_pydict() == {"id": ["007", "008"], "size": [0.1, None], "day": days, "many": [2**53 + 1, 2]}


def test_the_query_is_asked_again_when_it_is_old(tmp_path: Path, store: Store, url: str) -> None:
    dataset, _ = project(tmp_path, {"type": "sql", "url": url, "query": QUERY}, COLUMNS)
    first, state = fetch(dataset, {}), source_state(dataset, {})
    add(url, "INSERT INTO things VALUES ('009', 1, '2024-03-02', 3)")
    assert fetch(dataset, {}).digests == first.digests and source_state(dataset, {}) == state
    assert fetch(dataset, {}, 0).digests != first.digests and source_state(dataset, {}) != state


def test_a_source_that_must_be_asked_is_never_the_same(tmp_path: Path, store: Store, url: str) -> None:
    dataset, _ = project(tmp_path, {"type": "sql", "url": url, "query": QUERY}, COLUMNS)
    assert source_state(dataset, {}) != source_state(dataset, {})
    fetch(dataset, {})
    assert source_state(dataset, {}) == source_state(dataset, {})
    assert source_state(dataset, {}, 0) != source_state(dataset, {}, 0)


def test_databases_behind_one_variable_are_kept_apart(
    tmp_path: Path, store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"sqlite:///{tmp_path}/other.sqlite"
    add(other, "CREATE TABLE things (id TEXT, size REAL, day TEXT, many INTEGER)")
    dataset, _ = project(tmp_path, {"type": "sql", "url": "${DB_URL}", "query": QUERY}, COLUMNS)
    found, states = {}, {}
    for address in (url, other, url):
        monkeypatch.setenv("DB_URL", address)
        found[address], states[address] = fetch(dataset, {}).digests, source_state(dataset, {})
    assert found[url] != found[other] and states[url] != states[other]
    monkeypatch.delenv("DB_URL")
    with pytest.raises(BadInput, match="no variable DB_URL"):
        source_state(dataset, {})


def test_many_rows_come_in_batches(tmp_path: Path, store: Store) -> None:
    count = database.BATCH * 2 + 5
    statement = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n"
    table = read_table(database.query("sqlite://", statement))
    assert table.num_rows == count and table["i"][-1].as_py() == str(count)


@pytest.mark.parametrize(
    ("address", "query", "kind", "told"),
    [
        ("sqlite://", "SELECT a FROM nowhere", BadInput, "no such table: nowhere"),
        ("sqlite://", "SELECT 1 AS a, 2 AS a", BadInput, "'a' twice"),
        ("not a url", "SELECT 1", BadInput, "SQLAlchemy"),
        ("klingon://host/db", "SELECT 1", BadInput, "SQLAlchemy"),
        ("sqlite:////no/such/folder/db.sqlite", "SELECT 1", Unavailable, "cannot be reached"),
    ],
)
def test_what_is_wrong_is_told(store: Store, address: str, query: str, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        database.query(address, query)


def test_passwords_reach_no_record(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DB_FOLDER", str(tmp_path))
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    address = "sqlite:///${DB_FOLDER}/db.sqlite?password=${DB_PASSWORD}"
    dataset, _ = project(tmp_path, {"type": "sql", "url": address, "query": QUERY}, COLUMNS)
    raw = fetch(dataset, {})
    assert raw.files[0].origin == "sqlite:///${DB_FOLDER}/db.sqlite?password=***"
    texts = [path.read_bytes() for path in store.root.rglob("*") if path.is_file()]
    assert "hunter2" not in raw.model_dump_json() and not [text for text in texts if b"hunter2" in text]
    monkeypatch.setenv("DB_FOLDER", "/no/such/folder")
    with pytest.raises(Unavailable) as caught:
        fetch(dataset, {}, 0)
    assert "hunter2" not in str(caught.value)
