"""A built candidate on its way to the gate: its version, found or made, and the road's answer."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prefect.runtime import deployment, flow_run

from flows.receipts import say
from tasks.artifacts import Artifact, current
from tasks.processes import locked
from tasks.registry import lineage, records
from tasks.registry.aliases import Registry
from tasks.registry.steps import register_version
from tasks.registry.versions import Candidate
from tasks.settings import ROOT, Settings


@dataclass(frozen=True)
class Built:
    """What is registered, and what the version's record keeps of it."""

    candidate: Candidate
    folder: Artifact
    plots: Artifact
    snapshot: str
    seed: int = 0


def register(release: str, key: str, build: Callable[[], Built], settings: Settings) -> int:
    """The version of this key in MLflow and in the store's records: found (its folder whole again), or built."""
    store = current()
    known = records.with_key(store, release, key)
    if known is not None:
        present(release, known, settings)
        return known.version
    built = build()
    with locked(settings.root / "locks" / f"register-{release}"):
        registered = register_version(settings.mlflow_url, built.candidate)
    record = records.VersionRecord(
        **registered.model_dump(),
        key=key,
        folder=built.folder,
        plots=built.plots,
        metrics=built.candidate.metrics,
        snapshot=built.snapshot,
        seed=built.seed,
        tags=built.candidate.tags,
    )
    say(f"registered as version {record.version}")
    return records.keep(store, release, record).version


def lineage_of(data_digest: str, data_version: int, code_digest: str) -> dict[str, str]:
    """The lineage tags of a version that this flow run makes."""
    run, name = str(flow_run.id or ""), str(deployment.name or "")
    return lineage.tags(lineage.git_commit(ROOT), data_digest, data_version, code_digest, run, name)


def present(release: str, record: records.VersionRecord, settings: Settings) -> None:
    """Bring a version's folder back from MLflow where the store has lost it."""
    if current().whole(record.folder):
        return
    with Registry(settings.mlflow_url) as registry, tempfile.TemporaryDirectory() as name:
        folder = registry.download(registry.version(release, record.version), Path(name) / "release")
        current().put_folder("releases", folder)
