"""A tabular candidate on its way to the gate: what it is made of, and the evidence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.candidates import Met
from flows.rows import OfRows
from flows.tabular_order import Rows
from tasks.artifacts import Artifact, canonical, sha256
from tasks.planning import closure
from tasks.registry.gate import Check, Evidence
from tasks.registry.records import VersionRecord
from tasks.tables import steps as tables
from tasks.tables.choose import Choice
from tasks.tables.evidence import as_served, gather
from tasks.tables.fairness import Side
from tasks.tables.left_out import left_out_check
from tasks.tables.predictor import Predictor
from tasks.tables.release_folder import Made

MAKING = ("target", "task", "positive", "features", "drop", "split", "trials", "parameters", "metric")


@dataclass(frozen=True, kw_only=True)
class Model(OfRows):
    """A table model, and the rows that it is judged on."""

    prepared: Rows
    choice: Choice
    code: Artifact | None

    @property
    def seed(self) -> int:
        return self.prepared.recipe.training(self.prepared.order.seed).seed

    @property
    def code_digest(self) -> str:
        making = self.prepared.recipe.model_dump(mode="json", include=set(MAKING))
        return sha256(canonical([closure("tasks.tables.steps"), making, self.requests]))

    @property
    def requests(self) -> str:
        """Digest of what a service does to a request before the model sees it: contract, dropped columns, features."""
        columns = self.prepared.contract.model_dump(mode="json", include={"columns"})
        return sha256(canonical([columns, self.prepared.recipe.drop, self.code.digest if self.code else None]))

    @property
    def key(self) -> str:
        """The same model of the same rows for the same requests; its seed is in the model."""
        digests = [self.choice.model.digest, self.snapshot.digest, self.rows.split.digest, self.requests]
        return sha256(canonical([self.release, *digests]))

    def assemble(self, key: str, inputs: dict[str, Any]) -> Artifact:
        made = Made(
            release=self.release,
            key=key,
            model=self.choice.model,
            table=self.rows.table,
            split=self.rows.split,
            contract=self.prepared.contract,
            subject=self.subject,
            drop=self.prepared.recipe.drop,
            function=self.prepared.recipe.features,
            code=self.code,
            inputs=inputs | self.placed,
        )
        return tables.assemble_release(made, self.evaluation)

    def described(self, folder: Path) -> dict[str, Any]:
        recipe, predictor = self.prepared.recipe, Predictor.load(folder)
        booster = "model.txt" if (folder / "model.txt").is_file() else None
        rows = [case["request"] for case in predictor.release["golden"]]
        params = {"family": self.choice.family, "seed": self.seed, "rows": self.snapshot.rows, "snapshot": self.ground}
        return {
            "params": params | recipe.model_dump(include={"metric", "trials"}) | recipe.parameters,
            "booster": booster,
            "example": predictor.encode(rows).tolist() if booster else [],
        }

    def evidence(self, version: VersionRecord, met: Met) -> Evidence:
        """Candidate against champion (or baseline) on the newest snapshot's test part."""
        return gather(
            self.prepared.recipe,
            self.subject,
            self.rows,
            self.ours(version),
            self.side(met.label(met.champion), met.champion.folder) if met.champion else self.baseline,
            [*as_served(self.prepared.recipe, self.rows, version.folder), *self.forgotten(version, met)],
            [self.side(met.label(rival), rival.folder) for rival in met.rivals],
            self.choice.refusal,
        )

    def forgotten(self, version: VersionRecord, met: Met) -> list[Check]:
        """Both on rows that the champion was tested on and these data leave out."""
        if met.champion is None or (older := self.older(met.champion)) is None:
            return []
        sides = []
        for label, record in ((str(version.version), version), (met.label(met.champion), met.champion)):
            features = tables.rebuild_features(older.table, record.folder)
            sides.append(Side(version=label, scores=tables.score_rows(record.folder, features, older.split)))
        return left_out_check(self.prepared.recipe, self.subject, self.rows, older, *sides)

    def side(self, label: str, folder: Artifact) -> Side:
        """An earlier version on the newest rows: its own features of them, and its scores."""
        features = tables.rebuild_features(self.rows.table, folder)
        return self.theirs(label, folder, tables.score_rows(folder, features, self.rows.split))
