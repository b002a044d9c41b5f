"""A person in the tables of a dataset: which tables hold a row of theirs, and what was made of those.

What was made of a table does not name it, so it is told by what stays: whatever a clean version, snapshot or receipt
names is spared, the rest of what rows are made into goes. All of it is made again when it is needed."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import MARKER, Store
from tasks.documents.forgetting import dataset_of
from tasks.errors import NotFound
from tasks.registry import records
from tasks.registry.records import VersionRecord
from tasks.watching.privacy import Privacy

TABLES = ("tables", "checked", "quarantine", "texts")
DERIVED = (
    "texts", "features", "splits", "scores", "references", "transforms", "models", "plots", "curves", "encoders",
    "weights",
)  # fmt: skip
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Person(BaseModel):
    """Who is forgotten: the rows of `dataset` in which `column` is `value`, as text."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    column: str
    value: str

    @property
    def values(self) -> list[str | int | float]:
        """The value as JSON may have it."""
        numbers = [float(self.value)] if NUMBER.fullmatch(self.value) else []
        return [self.value, *(int(one) for one in numbers if one.is_integer()), *numbers]

    def rows(self, column: pa.ChunkedArray) -> int:
        """How many values of a column are this one, whatever its type."""
        try:
            wanted = pa.scalar(self.value).cast(column.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return 0
        return int(pc.sum(pc.equal(column, wanted)).as_py() or 0)


def telling(person: Person, key: bytes | None) -> Callable[[bytes], bool]:
    """Whether a line of a log has the person's column with the value, or with its pseudonym where there is a key."""
    privacy = Privacy({person.column: "hash"}, key)
    said = [*person.values, *(privacy.pseudonym(person.column, one) for one in person.values if key)]
    pairs = [orjson.dumps({person.column: one})[1:-1] for one in said]
    ends = (b",", b"}", b"\\")  # a number goes on otherwise
    texts = [pair for pair in pairs if pair.endswith(b'"')]
    texts += [pair + end for pair in pairs if not pair.endswith(b'"') for end in ends]
    texts += [orjson.dumps(text.decode())[1:-1] for text in texts]
    return lambda data: any(text in data for text in texts)


class Traces(BaseModel):
    """Where the store has the person: `tables` by uri, versions of which release were made of them, and the uris that
    nothing of that names."""

    model_config = ConfigDict(frozen=True)

    tables: frozenset[str]
    versions: dict[str, set[int]]
    spared: frozenset[str]


def traces(store: Store, person: Person) -> Traces:
    """Tables that another dataset's snapshot or version names are that dataset's affair."""
    foreign = frozenset(_foreign(store, person.dataset))
    tables = frozenset(uri for uri in _holding(store, person) if uri not in foreign)
    versions: dict[str, set[int]] = {}
    for release in sorted({name.split("/")[1] for name in store.list("versions")}):
        found = {one.version for one in records.versions(store, release) if _made_of(store, one, person, tables)}
        versions |= {release: found} if found else {}
    return Traces(tables=tables, versions=versions, spared=foreign | frozenset(_clean(store, tables, versions)))


def _holding(store: Store, person: Person) -> Iterator[str]:
    for kind in TABLES:
        for uri in store.list(kind):
            if uri.endswith(".parquet") and holds(store, uri, person):
                yield uri


def holds(store: Store, uri: str, person: Person) -> bool:
    with pa.BufferReader(store.read(uri)) as data, pq.ParquetFile(data) as file:
        names = file.schema_arrow.names
        return person.column in names and bool(person.rows(file.read([person.column])[person.column]))


def _made_of(store: Store, record: VersionRecord, person: Person, tables: frozenset[str]) -> bool:
    """By the rows that its folder names, or by its snapshot: what was made of that may lack the column."""
    if dataset_of(record) != person.dataset:
        return False
    made = _json(store, f"{record.folder.uri}/release.json")
    snapshot = _json(store, f"snapshots/{person.dataset}/{int(record.tags['data.version']):06}.json")
    return bool(tables.intersection(_named([made.get("inputs", {}).get("table"), snapshot])))


def _foreign(store: Store, dataset: str) -> Iterator[str]:
    for name in store.list("snapshots"):
        if name.split("/")[1] != dataset:
            yield from _named(_json(store, name))
    for release in {name.split("/")[1] for name in store.list("versions")}:
        for record in records.versions(store, release):
            if dataset_of(record) != dataset:
                yield from _of_version(store, record)


def _clean(store: Store, tables: frozenset[str], versions: dict[str, set[int]]) -> Iterator[str]:
    """What snapshots and windows without such a table name, versions that were not made of one, and steps of trainings
    that no such table went into."""
    for name in [*store.list("snapshots"), *store.list("watch")]:
        found = {*_named(_json(store, name))}
        if not found & tables:
            yield from found
    for name in store.list("receipts"):
        yield from _apart(_json(store, name), tables)[0]
    for release in {name.split("/")[1] for name in store.list("versions")}:
        for record in records.versions(store, release):
            if record.version not in versions.get(release, ()):
                yield from _of_version(store, record)


def _apart(receipt: Any, tables: frozenset[str]) -> tuple[set[str], set[str]]:
    """The uris that a training made without such a table, and those that one went into, step by step."""
    clean, tainted = set[str](), set[str](tables)
    for step in receipt.get("steps", []):
        told, made = orjson.dumps(step["inputs"]), {*_named(step["artifacts"])}
        if any(_digest(uri).encode() in told for uri in tainted):
            tainted |= made
        clean |= made - tainted
    return clean - tainted, tainted - tables


def _digest(uri: str) -> str:
    return uri.rpartition("/")[2].partition(".")[0]


def _of_version(store: Store, record: VersionRecord) -> Iterator[str]:
    yield from _named(record.model_dump(mode="json"))
    yield from _named(_json(store, f"{record.folder.uri}/release.json"))


def _named(value: Any) -> Iterator[str]:
    """The uris of the artifacts in some JSON."""
    if isinstance(value, dict):
        if {"uri", "digest", "kind"} <= value.keys():
            yield str(value["uri"])
        for one in value.values():
            yield from _named(one)
    elif isinstance(value, list):
        for one in value:
            yield from _named(one)


def _json(store: Store, name: str) -> Any:
    """{} where it is gone."""
    try:
        return orjson.loads(store.read(name))
    except NotFound:
        return {}


# removal


def remove(store: Store, person: Person, found: Traces) -> Iterator[tuple[str, int]]:
    """What was made of the tables, then the raw bytes, and the tables last: by them the next run finds the rest."""
    kept = {*found.spared}

    def gone(names: set[str]) -> int:
        for name in sorted(names - kept):
            store.remove(name)
        return len(names - kept)

    yield "release folders", gone({uri for uri in _roots(store, "releases") if _is_made_of(store, uri, found)})
    yield (
        "receipts of trainings",
        gone({name for name in store.list("receipts") if not found.tables.isdisjoint(_named(_json(store, name)))}),
    )
    if found.tables:
        for kind in DERIVED:
            yield f"{kind} made of rows", gone({*_roots(store, kind)})
    yield "raw bytes", gone(_raw(store, person, found))
    yield "tables with the row", gone({*found.tables})


def _roots(store: Store, kind: str) -> set[str]:
    """The artifacts of a kind: files, or folders."""
    return {"/".join(name.split("/")[:3]).removesuffix(MARKER) for name in store.list(kind)}


def _is_made_of(store: Store, uri: str, found: Traces) -> bool:
    made = _json(store, f"{uri}/release.json")
    return bool(made) and not found.tables.isdisjoint(_named(made["inputs"].get("table")))


def _raw(store: Store, person: Person, found: Traces) -> set[str]:
    """The files that only snapshots with the row were read from, and those that have the value and no snapshot."""
    going, staying = set[str](), set[str]()
    for name in store.list("snapshots"):
        snapshot = _json(store, name)
        holds_it = not found.tables.isdisjoint(_named(snapshot.get("table")))
        (going if holds_it else staying).update(snapshot.get("parents", ()))
    names = {name: _digest(name) for name in store.list("raw")}
    lone = {name for name, digest in names.items() if digest not in going | staying and has(store, name, person)}
    return lone | {name for name, digest in names.items() if digest in going - staying}


def has(store: Store, raw: str, person: Person) -> bool:
    """Whether a raw file has the value somewhere: as text, or in a column of Parquet."""
    data = store.read(raw)
    if not data.startswith(b"PAR1"):
        return person.value.encode() in data
    table = pq.read_table(pa.BufferReader(data))
    return any(person.rows(table[column]) for column in table.column_names)
