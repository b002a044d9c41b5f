"""What all releases that are made of a table have in common: rows, read and checked, and a candidate judged on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefect.input import RunInput
from prefect.runtime import deployment

from flows.asking import asked
from flows.candidates import Offered, present, record_of
from flows.orders import Prepared
from flows.receipts import say
from tasks.artifacts import Artifact, current
from tasks.errors import Refused
from tasks.registry import ledger, records
from tasks.registry.gate import BASELINE
from tasks.registry.history import champion
from tasks.registry.lineage import git_commit
from tasks.registry.records import VersionRecord
from tasks.settings import ROOT, Settings
from tasks.sources import steps as sources
from tasks.sources.contracts import Contract
from tasks.sources.frames import read_table
from tasks.sources.reading import pieces
from tasks.sources.snapshots import Snapshot
from tasks.sources.state import source_state
from tasks.statistics import Interval
from tasks.tables import steps as tables
from tasks.tables.contracts import Cause
from tasks.tables.evaluation import Evaluation, scored
from tasks.tables.fairness import Ground, Side
from tasks.tables.metrics import higher_is_better
from tasks.tables.specs import Subject
from tasks.watching.drift import verdict


def checked(prepared: Prepared, contract: Contract, settings: Settings) -> tuple[Snapshot, Artifact]:
    """The newest snapshot, and those of its rows that hold to the contract."""
    dataset, order = prepared.dataset, prepared.order
    raw = sources.fetch(dataset, prepared.files, 0 if order.refresh else settings.remote_age)
    prepared.conditions["source"] = source_state(dataset, prepared.files, settings.remote_age)
    say(*raw.notes)
    table = sources.read(pieces(raw, dataset, contract), contract)
    snapshot = sources.snapshot(dataset.name, table, raw, dataset, git_commit(ROOT).commit)
    say(f"snapshot {snapshot.version} of {dataset.name}: {snapshot.rows} rows, {len(snapshot.columns)} columns")
    found = tables.check_contract(table, contract)
    say(f"contract: {found.bad_rows} of {found.rows} rows quarantined", *map(described, found.causes))
    return snapshot, found.good


def compare_with_champion(prepared: Prepared, rows: Artifact, names: Sequence[str], settings: Settings) -> None:
    """Say how far the named columns moved from those that the champion was trained on.

    Refused: further than the recipe lets a training go unasked. In a deployment a person is asked then."""
    order, watch = prepared.order, prepared.recipe.watch
    number = champion(ledger.entries(current(), order.release))
    if number is None:
        return
    record = records.version(current(), order.release, number)
    present(order.release, record, settings)
    before = Artifact.model_validate(record_of(record.folder)["inputs"]["table"])
    if before.digest == rows.digest:
        return
    if not current().whole(before):
        say(f"the rows of version {number} are gone from the store: how far the new ones moved cannot be told")
        return
    tables = [read_table(before), read_table(rows)]
    found = verdict(*(table.select([one for one in table.column_names if one in names]) for table in tables))
    say(f"drift from version {number}: " + (", ".join(found.drifted) or "no column"), *found.reasons)
    columns = {test.column for test in found.tests}
    if len(found.drifted) <= watch.drift_share * len(columns) or order.accept_drift:
        return
    told = f"{len(found.drifted)} of {len(columns)} columns moved, more than `watch.drift_share: {watch.drift_share:g}`"
    if watch.before_training == "warn":
        say(f"warning: {told}; is this the right data?")
        return
    ask(order.release, f"{told}: {', '.join(found.drifted)}", prepared.recipe.approval_days)


def ask(release: str, told: str, days: int) -> None:
    """Go on where a person says so."""
    if deployment.id:
        question = Agreement.with_initial_data(description=f"# Train {release} on it?\n\n{told}", train=False)
        if asked(question, f"drift-{release}", days).train:
            return
    raise Refused(
        f"{release} is not trained: {told}. If it is the right data: `penstock train {release} --accept-drift`."
    )


def described(cause: Cause) -> str:
    return f"  {cause.rows} rows: {cause.column} {cause.check}, such as {cause.example!r}"


class Agreement(RunInput):
    """The form of a suspended training."""

    train: bool


@dataclass(frozen=True, kw_only=True)
class OfRows(Offered):
    """A model of a table's rows, and the rows that it is judged on."""

    snapshot: Snapshot
    subject: Subject
    rows: Ground
    scores: Artifact
    baseline_scores: Artifact
    evaluation: Evaluation

    @property
    def ground(self) -> str:
        return self.rows.snapshot

    @property
    def metrics(self) -> dict[str, Interval]:
        return self.evaluation.metrics

    def higher_is_better(self, metric: str) -> bool:
        return higher_is_better(metric)

    @property
    def placed(self) -> dict[str, Any]:
        """Where the rows and their split lie, for the record of the release: later versions are compared by it."""
        return {"split": self.rows.split.model_dump(mode="json"), "table": self.rows.table.model_dump(mode="json")}

    def ours(self, version: VersionRecord) -> Side:
        return Side(version=str(version.version), scores=self.scores, trained=self.rows.split)

    def theirs(self, label: str, folder: Artifact, scores: Artifact) -> Side:
        """An earlier version by its scores of the newest rows, and what it was trained on.

        NotFound: it tells other classes apart, or another one is its positive."""
        scored(scores, self.rows.table, self.subject)
        inputs = record_of(folder)["inputs"]
        table = Artifact.model_validate(inputs["table"]) if "table" in inputs else None
        return Side(version=label, scores=scores, trained=Artifact.model_validate(inputs["split"]), table=table)

    def older(self, champion: VersionRecord) -> Ground | None:
        """The rows that the champion was made of, where they are others and still there."""
        inputs = record_of(champion.folder)["inputs"]
        table, split = (Artifact.model_validate(inputs[name]) for name in ("table", "split"))
        if split.digest == self.rows.split.digest or not (current().whole(table) and current().whole(split)):
            return None
        return Ground(snapshot=champion.snapshot, table=table, split=split, time=self.rows.time)

    @property
    def baseline(self) -> Side:
        return Side(version=BASELINE, scores=self.baseline_scores)
