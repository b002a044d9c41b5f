"""A documents candidate on its way to the gate: what it is made of, how it answers, and the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.candidates import Built, lineage_of, present
from flows.orders import Papers, endpoint_of
from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.documents.manifest import Corpus, CorpusSnapshot
from tasks.documents.parse import ParsedCorpus
from tasks.planning import closure
from tasks.registry import history, ledger, records
from tasks.registry.gate import BASELINE, Check, Evidence
from tasks.registry.versions import Candidate, Data
from tasks.retrieval import steps as retrieval
from tasks.retrieval.evaluation import Evaluation, read_rows
from tasks.retrieval.evidence import Facts, Side, gather
from tasks.retrieval.golden import Asked
from tasks.retrieval.judges import Judged
from tasks.retrieval.metrics import ranking
from tasks.retrieval.release_folder import OUTPUT, Made
from tasks.retrieval.served import read_release
from tasks.settings import Settings

MAKING = ("embedding", "pages", "chunks", "search", "answers", "images")


@dataclass(frozen=True)
class Offered:
    """What the steps made of an order."""

    prepared: Papers
    corpus: Corpus
    snapshot: CorpusSnapshot
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
    plots: Artifact
    checks: Sequence[Check]

    @property
    def release(self) -> str:
        return self.prepared.recipe.name

    @property
    def ground(self) -> str:
        """What a decision is about: the newest corpus, and the questions that are asked of it."""
        judge = f", judged by {self.judged.by}" if self.judged else ", no verdict of the judge" if self.judge else ""
        return f"{self.snapshot.dataset}@{self.snapshot.version}, questions {self.asked.artifact.digest[:8]}{judge}"

    @property
    def code_digest(self) -> str:
        """Of all that turns documents into an index and its answers: the rooms' code and the recipe's making."""
        making = self.prepared.recipe.model_dump(mode="json", include=set(MAKING))
        code = [closure("tasks.documents.steps"), closure("tasks.retrieval.steps")]
        return sha256(canonical([code, making, self.rerank and self.rerank.digest, OUTPUT, self.evaluation.threshold]))

    @property
    def key(self) -> str:
        """Names the version: the same index, answered from in the same way; `answers` holds the prompt."""
        making = self.prepared.recipe.model_dump(mode="json", include={"search", "answers"})
        parts = [self.index, self.weights, self.pages, self.rerank]
        digests = [part and part.digest for part in parts]
        return sha256(canonical([self.release, digests, making, OUTPUT, self.evaluation.threshold]))


def build(offered: Offered) -> Built:
    """The release folder, and the candidate as MLflow gets it."""
    folder = retrieval.assemble_release(made(offered), offered.evaluation, offered.asked.artifact, offered.judged)
    candidate = described(offered, folder)
    return Built(candidate, folder, offered.plots, offered.ground)


def made(offered: Offered) -> Made:
    """What the release folder is made of."""
    recipe, snapshot = offered.prepared.recipe, offered.snapshot
    return Made(
        release=offered.release,
        key=offered.key,
        index=offered.index,
        weights=offered.weights,
        chunks=offered.chunks,
        pages=offered.pages,
        rerank=offered.rerank,
        search=recipe.search,
        answers=recipe.answers,
        inputs={
            "snapshot": {"dataset": snapshot.dataset, "version": snapshot.version, "digest": snapshot.digest},
            "manifest": snapshot.manifest.model_dump(mode="json"),
            "recipe": recipe.model_dump(mode="json"),
            "code": offered.code_digest,
        },
    )


def described(offered: Offered, folder: Artifact) -> Candidate:
    """The candidate as MLflow gets it."""
    store, snapshot, recipe = current(), offered.snapshot, offered.prepared.recipe
    return Candidate(
        release=offered.release,
        key=offered.key,
        folder=store.path(folder),
        params={
            "documents": snapshot.documents,
            "pages": offered.parsed.pages,
            "chunks": offered.index.meta["count"],
            "snapshot": offered.ground,
            "embedding": recipe.embedding.name,
            "precision": recipe.embedding.precision,
            "chunk_tokens": recipe.chunks.tokens,
            "threshold": offered.evaluation.threshold,
            "metric": recipe.metric,
        },
        metrics=offered.evaluation.metrics | (offered.judged.metrics if offered.judged else {}),
        tags=lineage_of(snapshot.digest, snapshot.version, offered.code_digest),
        data=Data(
            name=snapshot.dataset,
            version=snapshot.version,
            digest=snapshot.digest,
            rows=snapshot.documents,
            source=canonical(snapshot.source).decode(),
        ),
        plots=store.path(offered.plots),
        tables={"questions": questions_table(offered.evaluation)},
        prompt=[{"role": role, "content": getattr(recipe.answers.prompt, role)} for role in ("system", "user")],
    )


def questions_table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The scores of each question; answers stay in the store, where a forgotten document is taken out of them."""
    shown = {"id", "question", "document", "answerable", "rank", "answered", "confidence"}
    return [
        row.model_dump(include=shown) | (ranking(row.rank) if row.answerable else {})
        for row in read_rows(evaluation.scores)
    ]


def evidence_for(offered: Offered, version: int, settings: Settings) -> Evidence:
    """Candidate against champion (or an index that finds nothing) on the newest questions."""
    store, release = current(), offered.release
    entries = ledger.entries(store, release)
    champion = history.champion(entries)
    record = records.version(store, release, champion) if champion else None
    opponent = side_of(offered, record, settings) if record else Side(version=BASELINE)
    rivals = [number for number in history.rivals(entries, offered.prepared.recipe.best_of) if number != version]
    return gather(
        offered.prepared.recipe,
        offered.ground,
        Side(version=str(version), scores=offered.evaluation.scores),
        opponent,
        records.version(store, release, version).folder,
        Facts(
            data_changed=record is not None and record.tags["data.digest"] != offered.snapshot.digest,
            code_changed=record is not None and record.tags["code.digest"] != offered.code_digest,
            notes=tuple(offered.asked.notes),
        ),
        [side_of(offered, records.version(store, release, number), settings) for number in rivals],
        offered.checks,
        offered.judged.metrics if offered.judged else None,
    )


def side_of(offered: Offered, record: records.VersionRecord, settings: Settings) -> Side:
    """An earlier version, asked the newest questions with its own index, model and threshold."""
    present(offered.release, record, settings)
    asked = endpoint_of(read_release(current().path(record.folder)).answers)
    evaluation = retrieval.evaluate_release(record.folder, offered.asked.artifact, asked)
    return Side(version=f"champion v{record.version}", scores=evaluation.scores)
