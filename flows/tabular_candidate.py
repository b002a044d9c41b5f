"""A tabular candidate on its way to the gate: what it is made of, and the evidence."""

import json
from dataclasses import dataclass
from pathlib import Path

from flows.candidates import Built, lineage_of, present
from flows.orders import Rows
from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.planning import closure
from tasks.registry import history, ledger, records
from tasks.registry.gate import BASELINE, Evidence
from tasks.registry.versions import Candidate, Data
from tasks.settings import Settings
from tasks.sources.snapshots import Snapshot
from tasks.tables import steps as tables
from tasks.tables.choose import Choice
from tasks.tables.evaluation import Evaluation
from tasks.tables.evidence import Facts, Ground, Side, gather
from tasks.tables.predictor import Predictor
from tasks.tables.release_folder import Made
from tasks.tables.specs import Subject

MAKING = ("target", "task", "positive", "features", "drop", "split", "trials", "parameters", "metric")


@dataclass(frozen=True)
class Offered:
    """What the steps made of an order."""

    prepared: Rows
    subject: Subject
    snapshot: Snapshot
    ground: Ground
    choice: Choice
    scores: Artifact
    baseline_scores: Artifact
    evaluation: Evaluation
    plots: Artifact
    code: Artifact | None

    @property
    def release(self) -> str:
        return self.prepared.recipe.name

    @property
    def code_digest(self) -> str:
        """Of all that turns rows into a model: the room's code, the recipe's making, what requests look like."""
        making = {name: value for name, value in self.prepared.recipe.model_dump(mode="json").items() if name in MAKING}
        return sha256(canonical([closure("tasks.tables.steps"), making, self.requests]))

    @property
    def requests(self) -> str:
        """Digest of what a service does to a request before the model sees it: contract, dropped columns, features."""
        columns = self.prepared.contract.model_dump(mode="json", include={"columns"})
        return sha256(canonical([columns, self.prepared.recipe.drop, self.code.digest if self.code else None]))

    @property
    def key(self) -> str:
        """Names the version: the same model of the same rows for the same requests; its seed is in the model."""
        digests = [self.choice.model.digest, self.snapshot.digest, self.ground.split.digest, self.requests]
        return sha256(canonical([self.release, *digests]))


def build(offered: Offered) -> Built:
    """The release folder, and the candidate as MLflow gets it."""
    store = current()
    folder = tables.assemble_release(made(offered), offered.evaluation)
    candidate = described(offered, store.path(folder), store.path(offered.plots))
    return Built(candidate, folder, offered.plots, offered.ground.snapshot, seed_of(offered))


def seed_of(offered: Offered) -> int:
    return offered.prepared.recipe.training(offered.prepared.order.seed).seed


def made(offered: Offered) -> Made:
    """What the release folder is made of."""
    snapshot, recipe = offered.snapshot, offered.prepared.recipe
    return Made(
        release=offered.release,
        key=offered.key,
        model=offered.choice.model,
        table=offered.ground.table,
        split=offered.ground.split,
        contract=offered.prepared.contract,
        subject=offered.subject,
        drop=recipe.drop,
        function=recipe.features,
        code=offered.code,
        inputs={
            "snapshot": {"dataset": snapshot.dataset, "version": snapshot.version, "digest": snapshot.digest},
            "split": offered.ground.split.model_dump(mode="json"),
            "table": offered.ground.table.model_dump(mode="json"),
            "recipe": recipe.model_dump(mode="json"),
            "code": offered.code_digest,
        },
    )


def described(offered: Offered, folder: Path, plots: Path) -> Candidate:
    """The candidate as MLflow gets it."""
    snapshot, choice = offered.snapshot, offered.choice
    predictor = Predictor.load(folder)
    booster = "model.txt" if (folder / "model.txt").is_file() else None
    rows = [case["request"] for case in predictor.release["golden"]]
    return Candidate(
        release=offered.release,
        key=offered.key,
        folder=folder,
        params={
            "family": choice.family,
            "seed": seed_of(offered),
            "rows": snapshot.rows,
            "snapshot": offered.ground.snapshot,
            **offered.prepared.recipe.model_dump(include={"metric", "trials"}),
            **offered.prepared.recipe.parameters,
        },
        metrics=offered.evaluation.metrics,
        tags=lineage_of(snapshot.digest, snapshot.version, offered.code_digest),
        data=Data(
            name=snapshot.dataset,
            version=snapshot.version,
            digest=snapshot.digest,
            rows=snapshot.rows,
            columns=snapshot.types,
            source=canonical(snapshot.source).decode(),
        ),
        plots=plots,
        booster=booster,
        example=predictor.encode(rows).tolist() if booster else [],
    )


def evidence_for(offered: Offered, version: int, settings: Settings) -> Evidence:
    """Candidate against champion (or baseline) on the newest snapshot's test part."""
    store, release = current(), offered.release
    entries = ledger.entries(store, release)
    champion = history.champion(entries)
    candidate = Side(version=str(version), scores=offered.scores, trained=offered.ground.split)
    record = records.version(store, release, champion) if champion else None
    if record is None:
        opponent = Side(version=BASELINE, scores=offered.baseline_scores)
    else:
        opponent = side_of(offered, record, settings)
    rivals = [number for number in history.rivals(entries, offered.prepared.recipe.best_of) if number != version]
    return gather(
        offered.prepared.recipe,
        offered.subject,
        offered.ground,
        candidate,
        opponent,
        records.version(store, release, version).folder,
        Facts(
            data_changed=record is not None and record.tags["data.digest"] != offered.snapshot.digest,
            code_changed=record is not None and record.tags["code.digest"] != offered.code_digest,
            refusal=offered.choice.refusal,
        ),
        [side_of(offered, records.version(store, release, number), settings) for number in rivals],
    )


def side_of(offered: Offered, record: records.VersionRecord, settings: Settings) -> Side:
    """An earlier version on the newest rows: its own features of them, its scores, and what it was trained on."""
    present(offered.release, record, settings)
    features = tables.rebuild_features(offered.ground.table, record.folder)
    scores = tables.score_rows(record.folder, features, offered.ground.split)
    split, table = trained_on(record.folder)
    return Side(version=f"champion v{record.version}", scores=scores, trained=split, table=table)


def trained_on(folder: Artifact) -> tuple[Artifact, Artifact | None]:
    """The split that a release was trained with, and the table that was split, where its folder names it."""
    inputs = json.loads((current().path(folder) / "release.json").read_bytes())["inputs"]
    table = Artifact.model_validate(inputs["table"]) if "table" in inputs else None
    return Artifact.model_validate(inputs["split"]), table
