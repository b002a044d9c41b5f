"""An assistant candidate on its way to the gate: what it is made of, and the evidence."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flows.assistant_order import Lessons
from flows.candidates import Met, Offered, faced, made_of, record_of
from flows.kinds import KINDS
from flows.receipts import say
from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.documents import uploads
from tasks.documents.manifest import Corpus, CorpusSnapshot
from tasks.language import measuring
from tasks.language import steps as language
from tasks.language.base import Base
from tasks.language.chats import judged, learned
from tasks.language.evaluation import Evaluation, read_rows
from tasks.language.evidence import Side, gather
from tasks.language.examples import Examples
from tasks.language.lora import Tuned
from tasks.language.merging import Merged
from tasks.language.release_folder import OUTPUT, Made
from tasks.language.served import read_release
from tasks.language.specs import LOW
from tasks.planning import closure
from tasks.registry.gate import BASELINE, Check, Evidence
from tasks.registry.records import VersionRecord
from tasks.settings import Settings
from tasks.sources.snapshots import Snapshot
from tasks.statistics import Interval

MAKING = ("base", "revision", "tiny", "pages", "chunks", "examples", "lora", "generation")
SHOWN = 200  # answers in the table that MLflow shows


@dataclass(frozen=True)
class Taught:
    """The examples, and the data that they were made of; a corpus and its chunks where that is documents."""

    snapshot: Snapshot | CorpusSnapshot
    examples: Examples
    corpus: Corpus | None = None
    chunks: Artifact | None = None


@dataclass(frozen=True, kw_only=True)
class Assistant(Offered):
    """An adapter and the model that it makes of its base, and the examples that both are judged on."""

    prepared: Lessons
    snapshot: Snapshot | CorpusSnapshot
    taught: Taught
    base: Base
    weights: Artifact
    tuned: Tuned
    merged: Merged
    before: Evaluation
    after: Evaluation
    training: str
    settings: Settings

    @property
    def seed(self) -> int:
        return self.tuned.options.seed

    @property
    def ground(self) -> str:
        snapshot = self.snapshot
        return f"{snapshot.dataset}@{snapshot.version}, examples {self.taught.examples.artifact.digest[:8]}"

    @property
    def code_digest(self) -> str:
        making = self.prepared.recipe.model_dump(mode="json", include=set(MAKING))
        code = [closure("tasks.documents.steps"), closure("tasks.language.steps")]
        return sha256(canonical([code, making, self.seed]))

    @property
    def key(self) -> str:
        """The same adapter on the same base, answering in the same way."""
        digests = [one.digest for one in (self.base.artifact, self.tuned.adapter, self.weights)]
        making = self.prepared.recipe.generation.model_dump(mode="json")
        return sha256(canonical([self.release, digests, making, OUTPUT]))

    @property
    def metrics(self) -> dict[str, Interval]:
        return self.after.metrics

    def higher_is_better(self, metric: str) -> bool:
        return metric not in LOW

    def assemble(self, key: str, inputs: dict[str, Any]) -> Artifact:
        made = Made(
            release=self.release,
            key=key,
            base=self.base,
            examples=self.taught.examples.artifact,
            tuned=self.tuned,
            merged=self.merged,
            weights=self.weights,
            generation=self.prepared.recipe.generation,
            inputs=inputs | self.listed(),
            lineage=self.lineage(),
        )
        return language.assemble_release(made, self.after)

    def listed(self) -> dict[str, Any]:
        """Where the data are documents, the list of them: by it a forgotten one is found."""
        if not isinstance(self.snapshot, CorpusSnapshot):
            return {}
        return {"manifest": self.snapshot.manifest.model_dump(mode="json")}

    def lineage(self) -> list[dict[str, Any]]:
        """From the data to the merged model: each with its digest, licence and cost."""
        snapshot, tuned, examples, base = self.snapshot, self.tuned, self.taught.examples, self.base
        chunks = [made_of("chunks", self.taught.chunks.digest)] if self.taught.chunks else []
        commit = f" {base.revision}" if base.revision else ""
        data = f"{snapshot.dataset}@{snapshot.version}"
        return [
            made_of("data", snapshot.digest, data, self.prepared.dataset.licence),
            *chunks,
            made_of("examples", examples.artifact.digest, f"{examples.facts} facts"),
            made_of("base", base.artifact.digest, f"{base.name}{commit}", base.licence, base.cost),
            made_of("adapter", tuned.adapter.digest, f"rank {tuned.options.rank}", cost=tuned.cost),
            made_of("merged model", self.merged.artifact.digest, cost=self.merged.cost),
        ]

    def described(self, folder: Path) -> dict[str, Any]:
        options, base = self.tuned.options, self.base
        return {
            "params": {
                "base": base.name,
                "base_digest": base.artifact.digest,
                "licence": base.licence,
                "parameters": base.parameters,
                "snapshot": self.ground,
                "examples": self.tuned.examples,
                "steps": self.tuned.steps,
                "tokens": self.tuned.tokens,
                "device": self.tuned.cost.device,
                "cpu_seconds": self.tuned.cost.cpu_seconds,
                "peak_mb": self.tuned.cost.peak_mb,
                **{name: value for name, value in options.model_dump().items() if value is not None},
                "metric": self.prepared.recipe.metric,
            },
            "tables": {"answers": answers_table(self.before, self.after)},
            "curve": current().read_json(self.tuned.curve),
            "training": self.training,
        }

    def evidence(self, version: VersionRecord, met: Met) -> Evidence:
        """Candidate against champion, or the base, on the judged examples of the newest data; and the service."""
        base = Side(version=BASELINE, evaluation=self.before)
        champion, rivals, lost = faced(self.release, version, met, self.side)
        measured = self.measured(version) if self.prepared.recipe.measure else []
        return gather(
            self.prepared.recipe,
            self.ground,
            Side(version=str(version.version), evaluation=self.after),
            base,
            champion or base,
            self.merged.artifact,
            rivals,
            [*measured, *lost],
        )

    def check(self) -> None:
        if self.taught.corpus is not None:
            uploads.refuse_forgotten(current(), self.snapshot.dataset, self.taught.corpus.documents)

    def side(self, label: str, folder: Artifact) -> Side:
        """An earlier version, asked the newest examples with its own merged model."""
        say(f"asking {label} the same questions")
        recipe, merged = self.prepared.recipe, read_release(current().path(folder)).merged
        found = language.evaluate(merged, self.taught.examples.artifact, recipe.judged, recipe.answer_tokens)
        return Side(version=label, evaluation=found, trained=trained_on(record_of(folder)))

    def measured(self, version: VersionRecord) -> Sequence[Check]:
        """What the service does in this environment; never cached."""
        say("measuring the service")
        settings, recipe = self.settings, self.prepared.recipe
        env = {
            "PENSTOCK_FOLDER": str(current().path(version.folder)),
            "PENSTOCK_ARTIFACTS": settings.store,
            "MLFLOW_TRACKING_URI": settings.mlflow_url,
        }
        command = [sys.executable, "-m", "bentoml", "serve", KINDS[recipe.kind].service, "--host", "127.0.0.1"]
        examples = judged(self.taught.examples.artifact)
        prompts = [one.asked for one in examples if one.part == "held"] or [one.asked for one in examples]
        return measuring.checked(partial(measuring.measure, command, env, self.release, prompts), recipe.budgets)


def trained_on(record: dict[str, Any]) -> frozenset[str] | None:
    """The ids of the examples that a version learned from; None where they are gone."""
    digest = next(row["digest"] for row in record["lineage"] if row["what"] == "examples")
    artifact = Artifact(uri=f"examples/{digest[:2]}/{digest}", digest=digest, kind="examples")
    return frozenset(one.id for one in learned(artifact)) if current().whole(artifact) else None


def answers_table(before: Evaluation, after: Evaluation) -> list[dict[str, Any]]:
    """What base and tuned model said, side by side."""
    return [
        {
            "part": tuned.part,
            "question": tuned.question,
            "expected": tuned.expected,
            "base": base.said,
            "tuned": tuned.said,
            "loss_base": base.loss,
            "loss_tuned": tuned.loss,
        }
        for base, tuned in zip(read_rows(before.scores), read_rows(after.scores), strict=True)
    ][:SHOWN]
