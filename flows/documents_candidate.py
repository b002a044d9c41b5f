"""A documents candidate on its way to the gate: what it is made of, how it answers, and the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.candidates import Met, Offered, faced
from flows.documents_order import Papers, endpoint_of
from flows.receipts import say
from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.documents import uploads
from tasks.documents.manifest import Corpus, CorpusSnapshot
from tasks.documents.parse import ParsedCorpus
from tasks.planning import closure
from tasks.registry.gate import BASELINE, Check, Evidence
from tasks.registry.records import VersionRecord
from tasks.retrieval import steps as retrieval
from tasks.retrieval.evaluation import Evaluation, read_rows
from tasks.retrieval.evidence import Side, gather
from tasks.retrieval.golden import Asked
from tasks.retrieval.judges import Judged
from tasks.retrieval.metrics import ranking
from tasks.retrieval.release_folder import OUTPUT, Made
from tasks.retrieval.served import read_release
from tasks.statistics import Interval

MAKING = ("embedding", "pages", "chunks", "search", "answers", "images")


@dataclass(frozen=True, kw_only=True)
class Index(Offered):
    """An index of a corpus, and the questions that it is judged on."""

    prepared: Papers
    snapshot: CorpusSnapshot
    corpus: Corpus
    parsed: ParsedCorpus
    weights: Artifact
    chunks: Artifact
    index: Artifact
    pages: Artifact | None
    rerank: Artifact | None
    asked: Asked
    evaluation: Evaluation
    judge: str | None
    judged: Judged | None
    checks: Sequence[Check]

    @property
    def ground(self) -> str:
        """The newest corpus, and the questions that are asked of it."""
        judge = f", judged by {self.judged.by}" if self.judged else ", no verdict of the judge" if self.judge else ""
        return f"{self.snapshot.dataset}@{self.snapshot.version}, questions {self.asked.artifact.digest[:8]}{judge}"

    @property
    def code_digest(self) -> str:
        making = self.prepared.recipe.model_dump(mode="json", include=set(MAKING))
        code = [closure("tasks.documents.steps"), closure("tasks.retrieval.steps")]
        return sha256(canonical([code, making, self.rerank and self.rerank.digest, OUTPUT, self.evaluation.threshold]))

    @property
    def key(self) -> str:
        """The same index, answered from in the same way; `answers` holds the prompt."""
        making = self.prepared.recipe.model_dump(mode="json", include={"search", "answers"})
        parts = [self.index, self.weights, self.pages, self.rerank]
        digests = [part and part.digest for part in parts]
        return sha256(canonical([self.release, digests, making, OUTPUT, self.evaluation.threshold]))

    @property
    def metrics(self) -> dict[str, Interval]:
        return self.evaluation.metrics | (self.judged.metrics if self.judged else {})

    def assemble(self, key: str, inputs: dict[str, Any]) -> Artifact:
        made = Made(
            release=self.release,
            key=key,
            index=self.index,
            weights=self.weights,
            chunks=self.chunks,
            pages=self.pages,
            rerank=self.rerank,
            search=self.prepared.recipe.search,
            answers=self.prepared.recipe.answers,
            inputs=inputs | {"manifest": self.snapshot.manifest.model_dump(mode="json")},
        )
        return retrieval.assemble_release(made, self.evaluation, self.asked.artifact, self.judged)

    def described(self, folder: Path) -> dict[str, Any]:
        recipe = self.prepared.recipe
        return {
            "params": {
                "documents": self.snapshot.documents,
                "pages": self.parsed.pages,
                "chunks": self.index.meta["count"],
                "snapshot": self.ground,
                "embedding": recipe.embedding.name,
                "precision": recipe.embedding.precision,
                "chunk_tokens": recipe.chunks.tokens,
                "threshold": self.evaluation.threshold,
                "metric": recipe.metric,
            },
            "tables": {"questions": questions_table(self.evaluation)},
            "prompt": [{"role": role, "content": getattr(recipe.answers.prompt, role)} for role in ("system", "user")],
        }

    def evidence(self, version: VersionRecord, met: Met) -> Evidence:
        """Candidate against champion (or an index that finds nothing) on the newest questions."""
        champion, rivals, lost = faced(self.release, version, met, self.side)
        return gather(
            self.prepared.recipe,
            self.ground,
            Side(version=str(version.version), scores=self.evaluation.scores),
            champion or Side(version=BASELINE),
            version.folder,
            rivals,
            self.asked.notes,
            [*self.checks, *lost],
            self.judged.metrics if self.judged else None,
        )

    def check(self) -> None:
        uploads.refuse_forgotten(current(), self.snapshot.dataset, self.corpus.documents)

    def side(self, label: str, folder: Artifact) -> Side:
        """An earlier version, asked the newest questions with its own index, model and threshold."""
        say(f"asking {label} the same questions")
        asked = endpoint_of(read_release(current().path(folder)).answers)
        evaluation = retrieval.evaluate_release(folder, self.asked.artifact, asked)
        return Side(version=label, scores=evaluation.scores)


def questions_table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The scores of each question; answers stay in the store, where a forgotten document is taken out of them."""
    shown = {"id", "question", "document", "answerable", "rank", "answered", "confidence"}
    return [
        row.model_dump(include=shown) | (ranking(row.rank) if row.answerable else {})
        for row in read_rows(evaluation.scores)
    ]
