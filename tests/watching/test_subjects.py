"""How a person is told in tables and lines, and what is another dataset's."""

import orjson
import pyarrow as pa
import pytest

from tasks.artifacts import Artifact, Store, canonical
from tasks.registry import records
from tasks.registry.records import VersionRecord
from tasks.sources.frames import put_table
from tasks.watching.privacy import Privacy
from tasks.watching.subjects import Person, remove, telling, traces

KEY = b"secret"


@pytest.mark.parametrize(
    ("value", "line", "told"),
    [
        ("anna", {"name": "anna", "a": 1}, True),
        ("anna", {"name": "annabel"}, False),
        ("anna", {"other": "anna"}, False),
        ("17", {"name": 17}, True),
        ("17", {"name": "17"}, True),
        ("17", {"name": 17.0, "a": 1}, True),
        ("17", {"name": 170}, False),
        ("17", {"name": 17.5}, False),
        ("né", {"name": "né"}, True),
        ("anna", {"name": Privacy({}, KEY).pseudonym("name", "anna")}, True),
        ("17", {"name": Privacy({}, KEY).pseudonym("name", 17)}, True),
        ("anna", {"name": Privacy({}, b"other").pseudonym("name", "anna")}, False),
    ],
)
def test_a_line_tells_a_person_by_column_and_value(value: str, line: dict[str, object], told: bool) -> None:
    tells = telling(Person(dataset="d", column="name", value=value), KEY)
    assert tells(orjson.dumps({"inputs": line})) == told
    assert tells(orjson.dumps({"span": orjson.dumps(line).decode()})) == told  # as attributes of a span have it


def test_without_a_key_nothing_is_hashed() -> None:
    hashed = {"name": Privacy({}, KEY).pseudonym("name", "anna")}
    assert not telling(Person(dataset="d", column="name", value="anna"), None)(orjson.dumps(hashed))


@pytest.mark.parametrize(
    ("column", "value", "rows"),
    [
        (pa.array(["17", "170", None, "17"]), "17", 2),
        (pa.array([17, None, 18]), "17", 1),
        (pa.array([17.0, 17.5]), "17", 1),
        (pa.array([17, 18]), "anna", 0),
        (pa.array([None, None]), "anna", 0),
        (pa.array(["2024-01-02"]).cast(pa.date32()), "2024-01-02", 1),
    ],
)
def test_rows_are_found_whatever_the_type(column: pa.Array, value: str, rows: int) -> None:
    assert Person(dataset="d", column="c", value=value).rows(pa.chunked_array([column])) == rows


def version(store: Store, release: str, dataset: str, table: Artifact, split: Artifact, raw: Artifact) -> None:
    """Version 1 of a release, made of a snapshot with this table."""
    named = {name: one.model_dump(mode="json") for name, one in (("table", table), ("split", split))}
    snapshot = {"table": named["table"], "parents": [raw.digest]}
    store.create(f"snapshots/{dataset}/000001.json", canonical(snapshot))
    store.create(f"releases/aa/{release}/release.json", canonical({"inputs": named}))
    record = VersionRecord(
        version=1, key="k", run_id="r", created="2026-01-01T00:00:00+00:00", release_digest="d",
        folder=Artifact(uri=f"releases/aa/{release}", digest="d", kind="releases"), snapshot=f"{dataset}@1",
        tags={"data.version": "1"},
    )  # fmt: skip
    records.keep(store, release, record)


def test_what_another_dataset_names_stays(store: Store) -> None:
    anna, beside = ({"name": ["anna", "bob"], "a": [number, 2]} for number in (1, 3))
    tables = [put_table("tables", pa.table(one)) for one in (anna, beside)]
    splits = [put_table("splits", pa.table({"part": [part, "test"]})) for part in ("train", "valid")]
    raws = [store.put_bytes("raw", data) for data in (b"anna,1", b"anna,3", b"anna, of no snapshot", b"carl")]
    version(store, "wine", "wines", tables[0], splits[0], raws[0])
    version(store, "beer", "beers", tables[1], splits[1], raws[1])
    lone = put_table("features", pa.table({"a": [1.0]}))
    person = Person(dataset="wines", column="name", value="anna")
    found = traces(store, person)
    assert (found.tables, found.versions) == ({tables[0].uri}, {"wine": {1}})
    done = dict(remove(store, person, found))
    assert (done["release folders"], done["raw bytes"], done["tables with the row"]) == (1, 2, 1)
    whole = [store.whole(one) for one in (*tables, *splits, *raws, lone)]
    assert whole == [False, True, False, True, False, True, False, True, False]
    assert "releases/aa/beer/release.json" in store.list("releases") and traces(store, person).tables == frozenset()


def test_a_person_who_is_nowhere_costs_nothing(store: Store) -> None:
    table, split = put_table("tables", pa.table({"name": ["bob"]})), put_table("splits", pa.table({"part": ["test"]}))
    version(store, "wine", "wines", table, split, store.put_bytes("raw", b"bob"))
    lone = put_table("features", pa.table({"a": [1.0]}))
    person = Person(dataset="wines", column="name", value="anna")
    assert not any(number for _, number in remove(store, person, traces(store, person)))
    assert store.whole(table) and store.whole(lone)
