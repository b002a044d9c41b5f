"""Numbered, immutable versions of a dataset; an unchanged table makes no new one."""

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.errors import NotFound
from tasks.sources.catalog import Dataset
from tasks.sources.frames import read_table
from tasks.sources.raw import Raw


class Snapshot(BaseModel):
    """The manifest of a version: `columns` maps each column to its digest, `types` to its type."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    dataset: str
    version: int
    digest: str
    rows: int
    columns: dict[str, str]
    types: dict[str, str]
    source: dict[str, object]
    parents: list[str]
    git_commit: str | None
    table: Artifact


class Change(BaseModel):
    """What a version changed in the one before."""

    version: int
    rows: int
    added: list[str]
    removed: list[str]
    changed: list[str]


def take(name: str, table: Artifact, raw: Raw, dataset: Dataset, git_commit: str | None) -> Snapshot:
    """The version of this table: the newest one where it is the same, else a new one (of two writers one makes it)."""
    while True:
        newest = latest(name)
        if newest and newest.digest == table.digest:
            return newest.model_copy(update={"table": table})
        snapshot = Snapshot(
            dataset=name,
            version=newest.version + 1 if newest else 1,
            digest=table.digest,
            rows=table.meta["rows"],
            columns=table.meta["columns"],
            types={field.name: str(field.type) for field in read_table(table).schema},
            source={"title": dataset.title} | raw.source,
            parents=raw.digests,
            git_commit=git_commit,
            table=table,
        )
        if current().create(_place(name, snapshot.version), snapshot.model_dump_json(indent=1).encode()):
            return snapshot


def history(name: str) -> list[Snapshot]:
    """All versions, the oldest first."""
    return [Snapshot.model_validate_json(current().read(place)) for place in current().list(f"snapshots/{name}")]


def latest(name: str) -> Snapshot | None:
    places = current().list(f"snapshots/{name}")
    return Snapshot.model_validate_json(current().read(places[-1])) if places else None


def load(name: str, version: int) -> Snapshot:
    try:
        return Snapshot.model_validate_json(current().read(_place(name, version)))
    except NotFound:
        raise NotFound(f"{name} has no snapshot {version}; see `penstock data history {name}`.") from None


def changes(snapshots: list[Snapshot]) -> list[Change]:
    """What each version changed, by the digests of its columns; the first one adds them all."""
    found = []
    before: dict[str, str] = {}
    for snapshot in snapshots:
        now = snapshot.columns
        found.append(
            Change(
                version=snapshot.version,
                rows=snapshot.rows,
                added=[name for name in now if name not in before],
                removed=[name for name in before if name not in now],
                changed=[name for name in now if name in before and before[name] != now[name]],
            )
        )
        before = now
    return found


def _place(name: str, version: int) -> str:
    return f"snapshots/{name}/{version:06}.json"
