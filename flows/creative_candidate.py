"""A creative candidate on its way to the gate: what it is made of, and the evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.candidates import Met, faced, made_of
from flows.creative_order import Copy
from flows.receipts import say
from flows.rows import OfRows
from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.creative import steps as creative
from tasks.creative.checking import built
from tasks.creative.choosing import Choice
from tasks.creative.exporting import Exported
from tasks.creative.release_folder import Made
from tasks.creative.tuning import Tuned
from tasks.errors import NotFound
from tasks.language.base import Base
from tasks.planning import closure
from tasks.registry import records
from tasks.registry.gate import Check, Evidence
from tasks.registry.records import VersionRecord
from tasks.tables.evaluation import scored
from tasks.tables.evidence import gather
from tasks.tables.fairness import Side
from tasks.tables.left_out import left_out_check
from tasks.tables.metrics import measure

MAKING = (
    "texts", "label", "positive", "rating", "threshold", "candidates", "precision", "embedding", "encoder", "split",
    "metric",
)  # fmt: skip


@dataclass(frozen=True)
class Entrant:
    """One of the models that compete; the rest is there where it is a fine-tuned encoder."""

    model: Artifact
    base: Base | None = None
    tuned: Tuned | None = None
    exported: Exported | None = None
    training: str = ""


@dataclass(frozen=True, kw_only=True)
class Classified(OfRows):
    """A classifier of texts, and the rows that it is judged on."""

    prepared: Copy
    choice: Choice
    chosen: Entrant

    @property
    def seed(self) -> int:
        return self.chosen.tuned.options.seed if self.chosen.tuned else 0

    @property
    def code_digest(self) -> str:
        making = self.prepared.recipe.model_dump(mode="json", include=set(MAKING))
        base = self.chosen.base.artifact.digest if self.chosen.base else None
        return sha256(canonical([closure("tasks.creative.steps"), making, base, self.requests]))

    @property
    def requests(self) -> str:
        """Digest of what a service takes and what it drafts from."""
        columns = self.prepared.contract.model_dump(mode="json", include={"columns"})
        return sha256(canonical([columns, self.prepared.recipe.facts]))

    @property
    def key(self) -> str:
        """The same model of the same rows for the same requests."""
        digests = [self.chosen.model.digest, self.snapshot.digest, self.rows.split.digest, self.requests]
        return sha256(canonical([self.release, *digests]))

    def assemble(self, key: str, inputs: dict[str, Any]) -> Artifact:
        made = Made(
            release=self.release,
            key=key,
            model=self.chosen.model,
            texts=self.rows.table,
            split=self.rows.split,
            contract=self.prepared.contract,
            subject=self.subject,
            why=self.choice.why,
            facts=dict(self.prepared.recipe.facts),
            inputs=inputs | self.placed,
            lineage=self.lineage(),
        )
        return creative.assemble_release(made, self.evaluation)

    def lineage(self) -> list[dict[str, Any]]:
        """From the rows to what is served: each with its digest, licence and cost."""
        snapshot, entrant = self.snapshot, self.chosen
        rows = [
            made_of("data", snapshot.digest, self.ground, self.prepared.dataset.licence),
            made_of("texts", self.rows.table.digest),
        ]
        if entrant.base and entrant.tuned and entrant.exported:
            rows += [
                made_of("base", entrant.base.artifact.digest, entrant.base.name, entrant.base.licence),
                made_of("encoder", entrant.tuned.encoder.digest, cost=entrant.tuned.cost),
                made_of("exported encoder", entrant.exported.artifact.digest, entrant.exported.precision),
            ]
        return [*rows, made_of("classifier", entrant.model.digest, self.choice.family)]

    def described(self, folder: Path) -> dict[str, Any]:
        worth = {f"validation {name}": str(interval) for name, interval in self.choice.worth.items()}
        tuned = self.chosen.tuned
        found: dict[str, Any] = {
            "params": {
                "family": self.choice.family,
                "why": self.choice.why,
                "rows": self.snapshot.rows,
                "snapshot": self.ground,
                "metric": self.choice.metric,
                **worth,
                **({name: value for name, value in tuned.options.model_dump().items() if value} if tuned else {}),
            }
        }
        if tuned:
            found |= {"curve": current().read_json(tuned.curve), "training": self.chosen.training}
        return found

    def evidence(self, version: VersionRecord, met: Met) -> Evidence:
        """Candidate against champion (or the classes' shares) on the newest snapshot's test part."""
        champion, rivals, lost = faced(self.release, version, met, self.side)
        say(*self.beside(version))
        evidence = gather(
            self.prepared.recipe,
            self.subject,
            self.rows,
            self.ours(version),
            champion or self.baseline,
            [*built(self.prepared.recipe, version.folder, self.rows), *self.forgotten(version, met)],
            rivals,
            self.choice.refusal,
        )
        return evidence.model_copy(update={"checks": [*evidence.checks, *lost]})

    def forgotten(self, version: VersionRecord, met: Met) -> list[Check]:
        """Both on rows that the champion was tested on and these data leave out."""
        if met.champion is None or (older := self.older(met.champion)) is None:
            return []
        sides = [
            Side(version=label, scores=creative.score_texts(record.folder, older.table, older.split))
            for label, record in ((str(version.version), version), (met.label(met.champion), met.champion))
        ]
        return left_out_check(self.prepared.recipe, self.subject, self.rows, older, *sides)

    def beside(self, version: VersionRecord) -> Iterator[str]:
        """What every version whose files are there is worth on the rows of today: a line each."""
        metric = self.prepared.recipe.metric
        for record in records.versions(current(), self.release):
            if current().whole(record.folder):
                try:
                    scores = self.scores if record == version else self.side("", record.folder).scores
                except NotFound as error:
                    yield f"version {record.version} is not compared: {error}"
                    continue
                test = scored(scores, self.rows.table, self.subject)
                found = measure([metric], test.target, test.predictions, test.groups)[metric]
                yield f"version {record.version}: {metric} {found} on the test rows of {self.ground}"

    def side(self, label: str, folder: Artifact) -> Side:
        """An earlier version on the newest rows: what it reads of them, and its scores."""
        return self.theirs(label, folder, creative.score_texts(folder, self.rows.table, self.rows.split))
