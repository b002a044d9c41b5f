"""Whether ledger, decisions, files and aliases still agree; every disagreement is one sentence."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tasks.artifacts import Artifact, Store
from tasks.errors import NotFound, Refused
from tasks.registry import history, ledger, moves, records
from tasks.registry.aliases import Registry
from tasks.registry.gate import decision_digest
from tasks.registry.ledger import Entry
from tasks.registry.rest import RELEASE_DIGEST, SPLIT, faults


def verify(store: Store, release: str, registry: Registry | None) -> list[str]:
    """What is wrong with a release; [] where all holds. Without a registry only the store is looked at."""
    try:
        entries = ledger.entries(store, release)
    except Refused as error:
        return [str(error)]
    found = [*ledger.problems(entries), *_decisions(store, release, entries), *_files(store, release, entries)]
    return [*found, *(_registry(store, release, entries, registry) if registry else [])]


def _decisions(store: Store, release: str, entries: list[Entry]) -> Iterator[str]:
    for digest in sorted({entry.decision for entry in entries if entry.decision}):
        try:
            kept = records.decision(store, release, digest)
        except (NotFound, ValueError):
            yield f"The decision {digest[:12]} is gone from the store, or cannot be read."
            continue
        said = kept.decision
        if decision_digest(kept.evidence, said.verdict, said.reasons, said.ask) != digest:
            yield f"The decision {digest[:12]} was altered: its digest is not that of its evidence and reasons."


def _files(store: Store, release: str, entries: list[Entry]) -> Iterator[str]:
    known, gone = history.with_decision(entries), history.forgotten(entries)
    for record in records.versions(store, release):
        if record.version in gone:
            continue  # its files were removed
        store.whole(record.folder)  # a remote store brings it here
        wrong = faults(store.place(record.folder.uri), record.release_digest)
        yield from (f"Version {record.version}: {fault} in the store." for fault in wrong)
        lost = [] if wrong else [name for name, one in named(store.path(record.folder)).items() if not store.whole(one)]
        yield from (f"Version {record.version}: its {name} is gone or was altered; train again." for name in lost)
        if record.version not in known:
            yield f"Version {record.version} has no decision: its run was stopped before the gate; train again."


def named(folder: Path) -> dict[str, Artifact]:
    """What a release keeps outside its folder, by the name that it has in release.json (an index, say)."""
    told = json.loads((folder / "release.json").read_bytes())
    outside = {
        name: one for name, one in told.items() if isinstance(one, dict) and {"uri", "digest", "kind"} <= one.keys()
    }
    return {name: Artifact.model_validate(one) for name, one in outside.items()}


def _registry(store: Store, release: str, entries: list[Entry], registry: Registry) -> Iterator[str]:
    present, versions = registry.aliases(release), registry.versions(release)
    for alias in moves.ALIASES:
        entry, at = history.last_move(entries, alias), present.get(alias)
        standing = moves.standing_of(alias, entry, at, versions)
        if standing != "settled":
            should = entry.to_version if entry else None
            mend = "`penstock adopt` or `rollback` settles it" if standing == "outside" else "the next run finishes it"
            yield f"The alias {alias} is at version {at}, by the ledger it is {should} ({standing}): {mend}."
    split = history.split(entries)
    for info in versions:
        if split and info.version == split.to_version and info.terms("trial") != moves.terms_of(split):
            yield f"Version {info.version}: its tag {SPLIT} in MLflow is not what the ledger says; set the split again."
    kept = {record.version: record for record in records.versions(store, release)}
    yield from (f"Version {number} is not in MLflow." for number in kept.keys() - {info.version for info in versions})
    for info in versions:
        if info.version not in kept:
            why = "it was registered by hand, or its run was stopped; train again"
            yield f"Version {info.version} is in MLflow and has no record in the store: {why}."
        elif info.tags.get(RELEASE_DIGEST) != kept[info.version].release_digest:
            yield f"Version {info.version}: the tag {RELEASE_DIGEST} in MLflow is not the digest that was recorded."
        elif info.version not in history.forgotten(entries):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    registry.download(info, Path(folder) / "release")
                except Refused as error:
                    yield str(error)
