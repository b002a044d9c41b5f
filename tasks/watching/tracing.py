"""Where an answer comes from: what the log has of a request, and what the versions that answered it were made of.

From the store and this machine's log alone: it works for any version, however long ago, and with every server down."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Store
from tasks.errors import NotFound
from tasks.registry import history, ledger, records
from tasks.registry.ledger import Entry
from tasks.registry.records import VersionRecord
from tasks.watching.assessments import trace_number
from tasks.watching.finding import find


class Reign(BaseModel):
    """A time in which a version was champion by the ledger; `until` is None where it still is. `verdict` is the gate's
    where the entry names a decision; `who` promoted it, by which `action`."""

    model_config = ConfigDict(frozen=True)

    since: str
    until: str | None
    action: str
    who: str
    override: bool
    verdict: str | None
    note: str


class Origin(BaseModel):
    """What a version is and what it was made of. `kind` and `lineage` are told by its release folder, `source` and
    `parents` (digests of raw bytes) by its snapshot: they are empty where that is gone. `verdict` is the newest."""

    model_config = ConfigDict(frozen=True)

    release: str
    version: int
    kind: str = ""
    standing: str
    created: str
    verdict: str | None
    reigns: tuple[Reign, ...]
    run_id: str
    flow_run_id: str
    deployment: str
    snapshot: str
    data_digest: str
    source: dict[str, Any] = {}
    parents: tuple[str, ...] = ()
    dvc_md5: str
    git_commit: str
    git_dirty: bool
    code_digest: str
    release_digest: str
    lineage: tuple[dict[str, Any], ...] = ()


class Traced(BaseModel):
    """What one release knows of a request: log records in order of time, the versions that answered or shadowed it, and
    the trace ids that its tenants' requests have, where they were traced. `lost` versions have no record."""

    model_config = ConfigDict(frozen=True)

    release: str
    records: tuple[dict[str, Any], ...]
    versions: tuple[Origin, ...]
    lost: tuple[str, ...]
    traces: tuple[str, ...]


def logged(store: Store, root: Path) -> list[str]:
    """The releases that have a log, here or in the store, with or without a recipe."""
    here = {path.name for path in (root / "predictions").glob("*")}
    return sorted(here | {name.split("/")[1] for name in store.list("predictions")})


def trace(store: Store, root: Path, releases: Sequence[str], request_id: str) -> list[Traced]:
    """What these releases know of a request id, of all tenants; [] where none has it."""
    found = (_traced(store, root, release, request_id) for release in releases)
    return [one for one in found if one.records]


def _traced(store: Store, root: Path, release: str, request_id: str) -> Traced:
    told = find(store, root, release, request_id)
    asked = sorted({one.version for one in told if one.kind != "feedback"})
    known = {str(one.version): one for one in records.versions(store, release)} if told else {}
    return Traced(
        release=release,
        records=tuple(asdict(one) for one in told),
        versions=tuple(origin(store, release, known[one]) for one in asked if one in known),
        lost=tuple(one for one in asked if one not in known),
        traces=tuple(sorted({trace_id(one.tenant, request_id) for one in told})),
    )


def trace_id(tenant: str, request_id: str) -> str:
    """As MLflow writes it."""
    return f"tr-{trace_number(tenant, request_id):032x}"


def origin(store: Store, release: str, record: VersionRecord) -> Origin:
    entries, tags = ledger.entries(store, release), record.tags
    dataset, version = record.snapshot.partition("@")[0], tags.get("data.version", "")
    made, snapshot = _json(store, f"{record.folder.uri}/release.json"), {}
    if version:
        snapshot = _json(store, f"snapshots/{dataset}/{int(version):06}.json")
    return Origin(
        release=release,
        version=record.version,
        kind=made.get("kind", ""),
        standing=history.standing(entries, record.version),
        created=record.created,
        verdict=_verdict(store, release, entries, record.version),
        reigns=tuple(_reigns(store, release, entries, record.version)),
        run_id=record.run_id,
        flow_run_id=tags.get("prefect.flow_run_id", ""),
        deployment=tags.get("prefect.deployment", ""),
        snapshot=f"{dataset}@{version}",
        data_digest=tags.get("data.digest", ""),
        source=snapshot.get("source", {}),
        parents=tuple(snapshot.get("parents", ())),
        dvc_md5=tags.get("dvc.md5", ""),
        git_commit=tags.get("git.commit", ""),
        git_dirty=tags.get("git.dirty") == "true",
        code_digest=tags.get("code.digest", ""),
        release_digest=record.release_digest,
        lineage=tuple(made.get("lineage") or ()),
    )


def _reigns(store: Store, release: str, entries: Sequence[Entry], version: int) -> Iterator[Reign]:
    moves = [entry for entry in entries if entry.alias == "champion"]
    for entry, following in zip_longest(moves, moves[1:]):
        if entry.to_version == version:
            told = entry.model_dump(include={"action", "who", "override", "note"})
            until = following.when if following else None
            yield Reign(since=entry.when, until=until, verdict=_said(store, release, entry.decision), **told)


def _verdict(store: Store, release: str, entries: Sequence[Entry], version: int) -> str | None:
    decided = [entry.decision for entry in entries if entry.to_version == version and entry.decision]
    return _said(store, release, decided[-1]) if decided else None


def _said(store: Store, release: str, digest: str | None) -> str | None:
    with suppress(NotFound):
        return records.decision(store, release, digest).decision.verdict if digest else None
    return "the decision is gone from the store"


def _json(store: Store, name: str) -> dict[str, Any]:
    """A named object; {} where it is gone."""
    try:
        return dict(orjson.loads(store.read(name)))
    except NotFound:
        return {}
