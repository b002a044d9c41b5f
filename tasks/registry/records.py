"""Version records and decisions in the store: what reads need, so that `history` starts no server."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tasks.artifacts import Artifact, Store, canonical
from tasks.errors import NotFound, Refused
from tasks.registry import history, ledger
from tasks.registry.gate import Decision, Evidence
from tasks.registry.ledger import Entry
from tasks.statistics import Interval


class VersionRecord(BaseModel):
    """A registered version: where its files are and what it was made of."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    version: int
    key: str
    run_id: str
    created: str
    release_digest: str
    folder: Artifact
    plots: Artifact | None = None
    metrics: dict[str, Interval] = Field(default_factory=dict)
    snapshot: str = ""
    seed: int = 0
    tags: dict[str, str] = Field(default_factory=dict)


class Verdict(BaseModel):
    """A decision with the evidence that it stands on."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    evidence: Evidence
    decision: Decision


def keep(store: Store, release: str, record: VersionRecord) -> VersionRecord:
    """Write the record once; a rerun finds it. Refused where the number belongs to another version."""
    name = f"versions/{release}/{record.version:06}.json"
    store.create(name, canonical(record.model_dump(mode="json")))
    found = VersionRecord.model_validate_json(store.read(name))
    if found.key != record.key:
        raise Refused(
            f"MLflow calls this version {record.version} of {release}, but {name} in {store.root} is of another one. "
            "Store and MLflow belong together: do they come from two data roots?"
        )
    return found


def versions(store: Store, release: str) -> list[VersionRecord]:
    names = store.list(f"versions/{release}")
    return [VersionRecord.model_validate_json(store.read(name)) for name in names]


def version(store: Store, release: str, number: int) -> VersionRecord:
    name = f"versions/{release}/{number:06}.json"
    if name not in store.list(f"versions/{release}"):
        known = ", ".join(str(record.version) for record in versions(store, release)) or "none"
        raise NotFound(f"There is no version {number} of {release} in {store.root}; there are: {known}.")
    return VersionRecord.model_validate_json(store.read(name))


def with_key(store: Store, release: str, key: str) -> VersionRecord | None:
    """The version that was made with this key, newest first."""
    return next((record for record in reversed(versions(store, release)) if record.key == key), None)


def keep_decision(store: Store, evidence: Evidence, decision: Decision) -> None:
    name = f"decisions/{evidence.release}/{decision.digest}.json"
    store.create(name, canonical(Verdict(evidence=evidence, decision=decision).model_dump(mode="json")))


def decision(store: Store, release: str, digest: str) -> Verdict:
    return Verdict.model_validate_json(store.read(f"decisions/{release}/{digest}.json"))


def in_force(store: Store, release: str, number: int) -> Verdict | None:
    """The newest decision about a version; None where there is none (adopted, or promoted by hand)."""
    entries = [entry for entry in ledger.entries(store, release) if entry.to_version == number and entry.decision]
    return decision(store, release, entries[-1].decision or "") if entries else None


def split_of(entries: Sequence[Entry]) -> dict[str, Any] | None:
    """The split that was not ended yet: what it was set to, and why it is `over` all the same."""
    entry = history.split(entries)
    if entry is None:
        return None
    told = {"version": entry.to_version, "against": entry.subject, "share": entry.share, "since": entry.when}
    return told | {"until": entry.expires, "over": history.split_end(entries)}


def overview(store: Store, release: str) -> dict[str, Any]:
    """What `history --json` prints; the champion is the ledger's."""
    entries = ledger.entries(store, release)
    withdrawn, forgotten = history.withdrawn(entries), history.forgotten(entries)
    return {
        "release": release,
        "champion": history.champion(entries),
        "staging": history.holder(entries, "staging"),
        "challenger": history.holder(entries, "challenger"),
        "trial": history.holder(entries, "trial"),
        "split": split_of(entries),
        "pending": [entry.to_version for entry in history.pending(entries)],
        "versions": [
            json.loads(record.model_dump_json(exclude={"folder", "plots"}))
            | {"withdrawn": record.version in withdrawn, "forgotten": record.version in forgotten}
            for record in versions(store, release)
        ],
        "entries": [entry.model_dump(mode="json") for entry in entries],
    }
