"""A candidate on its way to the gate: its version, the versions that it meets there, and the road's answer."""

import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from prefect.runtime import deployment, flow_run

from flows.orders import Prepared
from flows.receipts import leave_receipt, say
from flows.release import decided, disagreeing, published
from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.documents.manifest import CorpusSnapshot
from tasks.errors import NotFound, Refused
from tasks.language.apart import Cost
from tasks.processes import locked
from tasks.registry import history, ledger, lineage, records
from tasks.registry.aliases import Registry
from tasks.registry.gate import Check, Evidence, floor_check
from tasks.registry.records import VersionRecord
from tasks.registry.road import Outcome
from tasks.registry.steps import register_version
from tasks.registry.versions import Candidate, Data
from tasks.settings import ROOT, Settings
from tasks.sources.snapshots import Snapshot
from tasks.statistics import Interval

S = TypeVar("S")


@dataclass(frozen=True)
class Met:
    """Whom a candidate meets at the gate; `rivals` are the last champions, today's among them."""

    champion: VersionRecord | None
    rivals: Sequence[VersionRecord]

    def label(self, record: VersionRecord) -> str:
        """How the decision names a version."""
        return f"champion v{record.version}" if record == self.champion else f"version {record.version}"


@dataclass(frozen=True, kw_only=True)
class Offered(ABC):
    """What the steps of a kind made of an order; a kind says what is registered, and how it is judged."""

    prepared: Prepared
    snapshot: Snapshot | CorpusSnapshot
    plots: Artifact

    @property
    def release(self) -> str:
        return self.prepared.recipe.name

    @property
    def seed(self) -> int:
        return 0

    @property
    @abstractmethod
    def key(self) -> str:
        """Names the version: whatever has the same key serves in the same way."""

    @property
    @abstractmethod
    def code_digest(self) -> str:
        """Of all that turns the data into the release: code, and the part of the recipe that makes it."""

    @property
    @abstractmethod
    def ground(self) -> str:
        """What a decision is about: the data that candidate and champion are judged on."""

    @property
    @abstractmethod
    def metrics(self) -> dict[str, Interval]: ...

    def higher_is_better(self, metric: str) -> bool:
        return True

    @abstractmethod
    def assemble(self, key: str, inputs: dict[str, Any]) -> Artifact:
        """The release folder; `inputs` are for its record."""

    @abstractmethod
    def described(self, folder: Path) -> dict[str, Any]:
        """More fields of the Candidate: `params`, and what else the kind shows in MLflow."""

    @abstractmethod
    def evidence(self, version: VersionRecord, met: Met) -> Evidence:
        """The candidate beside the champion, or beside the baseline where there is none."""

    def check(self) -> None:
        """Asked before it is registered and before it is judged. Refused: the data may not be used any more."""
        return


def offer(offered: Offered, settings: Settings) -> Outcome:
    """Register what was made, let the gate decide, leave the receipt, and show the decision on the run's page."""
    offered.check()
    version = register(offered, settings)
    evidence = partial(evidence_for, offered, version, settings)
    offered.check()
    outcome = decided(version, offered.ground, offered.prepared, evidence, settings)
    if outcome.state == "champion":
        say(*(f"the champion stays, though it misses a floor of the recipe: {text}" for text in missed(offered)))
    leave_receipt(current(), offered.prepared, outcome)
    return published(outcome, settings)


def missed(offered: Offered) -> Iterator[str]:
    """What the floors say of a champion that an earlier recipe let pass."""
    for name, bound in offered.prepared.recipe.floors.items():
        if name in offered.metrics:
            check = floor_check(name, offered.metrics[name], bound, offered.higher_is_better(name))
            if not check.ok:
                yield check.text


def faced(
    release: str, version: VersionRecord, met: Met, side: Callable[[str, Artifact], S]
) -> tuple[S | None, list[S], list[Check]]:
    """The champion and the rivals as `side` sees them (by label and folder), and a word on each rival that is lost.

    Refused: the champion cannot be asked any more."""
    champion, rivals, lost = None, [], []
    if met.champion is not None:
        try:
            champion = side(met.label(met.champion), met.champion.folder)
        except NotFound as error:
            raise Refused(
                f"The champion of {release} cannot be asked, so nothing is compared with it: {error} To let version "
                f"{version.version} replace it unseen: `penstock approve {release} {version.version} --override`."
            ) from None
    for rival in met.rivals:
        label = met.label(rival)
        try:
            rivals.append(champion if champion and rival == met.champion else side(label, rival.folder))
        except NotFound as error:
            text = f"The candidate was not compared with {label}: {error}"
            lost.append(Check(name=f"best of the last without {label}", number=None, bound="none", ok=True, text=text))
    return champion, rivals, lost


def register(offered: Offered, settings: Settings) -> int:
    """The version of this key in MLflow and in the store's records: found (its folder whole again), or built."""
    store, release, key = current(), offered.release, offered.key
    known = records.with_key(store, release, key)
    if known is not None and (wrong := disagreeing(present(release, known, settings), store)):
        say(f"version {known.version} is the same, but answers otherwise in this environment: {wrong[0]}")
        key = sha256(canonical([key, offered.code_digest]))
        known = records.with_key(store, release, key)
    if known is not None:
        present(release, known, settings)
        return known.version
    folder = offered.assemble(key, inputs_of(offered))
    with locked(settings.root / "locks" / f"register-{release}"):
        registered = register_version(settings.mlflow_url, candidate(offered, key, folder))
    record = VersionRecord(
        **registered.model_dump(),
        key=key,
        folder=folder,
        plots=offered.plots,
        metrics=offered.metrics,
        snapshot=offered.ground,
        seed=offered.seed,
        tags=tags_of(offered),
    )
    say(f"registered as version {record.version}")
    return records.keep(store, release, record).version


def inputs_of(offered: Offered) -> dict[str, Any]:
    """What every release records of its making; a kind adds to it."""
    snapshot = offered.snapshot
    return {
        "snapshot": {"dataset": snapshot.dataset, "version": snapshot.version, "digest": snapshot.digest},
        "recipe": offered.prepared.recipe.model_dump(mode="json"),
        "code": offered.code_digest,
    }


def candidate(offered: Offered, key: str, folder: Artifact) -> Candidate:
    """The candidate as MLflow gets it."""
    store, snapshot = current(), offered.snapshot
    return Candidate(
        release=offered.release,
        key=key,
        folder=store.path(folder),
        metrics=offered.metrics,
        tags=tags_of(offered),
        data=Data(
            name=snapshot.dataset,
            version=snapshot.version,
            digest=snapshot.digest,
            rows=snapshot.rows if isinstance(snapshot, Snapshot) else snapshot.documents,
            columns=snapshot.types if isinstance(snapshot, Snapshot) else {},
            source=canonical(snapshot.source).decode(),
        ),
        plots=store.path(offered.plots),
        **offered.described(store.path(folder)),
    )


def tags_of(offered: Offered) -> dict[str, str]:
    """The lineage tags of a version that this flow run makes."""
    run, name, snapshot = str(flow_run.id or ""), str(deployment.name or ""), offered.snapshot
    commit = lineage.git_commit(ROOT)
    return lineage.tags(commit, snapshot.digest, snapshot.version, offered.code_digest, run, name)


def evidence_for(offered: Offered, version: int, settings: Settings) -> Evidence:
    """The evidence of the kind, with what changed since the champion was made."""
    store, release = current(), offered.release
    entries = ledger.entries(store, release)
    number = history.champion(entries)
    champion = records.version(store, release, number) if number else None
    rivals = [one for one in history.rivals(entries, offered.prepared.recipe.best_of) if one != version]
    met = Met(champion, [records.version(store, release, one) for one in rivals])
    for record in (champion, *met.rivals):
        if record is not None:
            present(release, record, settings)
    evidence = offered.evidence(records.version(store, release, version), met)
    if champion is None:
        return evidence
    data, code = champion.tags["data.digest"], champion.tags["code.digest"]
    changed = {"data_changed": data != offered.snapshot.digest, "code_changed": code != offered.code_digest}
    return evidence.model_copy(update=changed)


def present(release: str, record: VersionRecord, settings: Settings) -> Path:
    """A version's folder, brought back from MLflow where the store has lost it. NotFound, Unavailable: it cannot be."""
    store = current()
    if not store.whole(record.folder):
        with Registry(settings.mlflow_url) as registry, tempfile.TemporaryDirectory() as name:
            folder = registry.download(registry.version(release, record.version), Path(name) / "release")
            store.put_folder("releases", folder)
    return store.path(record.folder)


def record_of(folder: Artifact) -> dict[str, Any]:
    """The release.json of a release folder."""
    return dict(json.loads((current().path(folder) / "release.json").read_bytes()))


def made_of(what: str, digest: str, name: str = "", licence: str = "", cost: Cost | None = None) -> dict[str, Any]:
    """One line of the lineage."""
    return {"what": what, "name": name, "digest": digest, "licence": licence, "cost": cost and cost.model_dump()}
