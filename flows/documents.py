"""A folder of documents to a gated index. Started by `penstock train`, a deployment, its schedule or an upload."""

from functools import partial

from prefect import flow

from flows.candidates import register
from flows.documents_candidate import Offered, build, evidence_for
from flows.orders import Order, Papers, prepare
from flows.receipts import leave_receipt, say
from flows.release import decided, published, qdrant
from tasks.artifacts import Artifact, current, opened
from tasks.documents import steps as documents
from tasks.documents import uploads
from tasks.documents.manifest import Changes
from tasks.registry.gate import Check
from tasks.registry.lineage import git_commit
from tasks.registry.road import Outcome
from tasks.retrieval import canaries
from tasks.retrieval import steps as retrieval
from tasks.retrieval.golden import Asked, load_golden
from tasks.retrieval.judges import Judge, held
from tasks.retrieval.specs import Embedding
from tasks.settings import ROOT, Settings, load
from tasks.sources import steps as sources
from tasks.sources.catalog import load_dataset


@flow(name="train-documents", flow_run_name="{order.release}")
def train(order: Order) -> Outcome:
    """From the folder to a decision about its index; only documents and chunks that are new are read and embedded."""
    settings = load()
    with opened(settings.store) as store:
        prepared = prepare(order, settings)
        assert isinstance(prepared, Papers)
        offered = make(prepared, settings)
        version = register(order.release, offered.key, lambda: build(offered), settings)
        outcome = decided(
            version, offered.ground, prepared, partial(evidence_for, offered, version, settings), settings
        )
        digests = {document.path: document.digest for document in offered.corpus.documents}
        uploads.settle(
            store, prepared.dataset.name, digests, {one.document: one.reason for one in offered.parsed.problems}
        )
        leave_receipt(store, prepared, outcome)
        return published(outcome)


def make(prepared: Papers, settings: Settings) -> Offered:
    """The cached steps in order: corpus, pages, chunks, vectors, index, page images, and its scores on questions."""
    recipe, dataset = prepared.recipe, prepared.dataset
    corpus = documents.scan(dataset, prepared.files)
    say(*corpus.notes)
    snapshot = documents.snapshot(corpus, git_commit(ROOT).commit)
    say(f"snapshot {snapshot.version} of {dataset.name}: {snapshot.documents} documents, {changed(snapshot.changes)}")
    parsed = documents.parse(snapshot.manifest, recipe.pages)
    say(f"{parsed.pages} pages, {parsed.parsed_now} documents read now in {parsed.seconds:.1f} s, the others known")
    say(*(f"  {count} documents are marked {mark}" for mark, count in parsed.marks.items()))
    say(*(f"  not read: {problem.document}: {problem.reason}" for problem in parsed.problems))
    weights = weights_of(recipe.embedding, settings)
    chunks = documents.chunk(parsed.artifact, weights, recipe.chunks)
    vectors = retrieval.embed_chunks(chunks.artifact, weights)
    say(f"{chunks.count} chunks, {vectors.embedded_now} embedded now, the others known")
    index = retrieval.build_index(chunks.artifact, vectors)
    if server := qdrant(settings):
        say(f"collection {retrieval.publish_index(recipe.name, index, current().path(index), server)} on {server.url}")
    pages = documents.images(snapshot.manifest, parsed.artifact).artifact if recipe.images else None
    asked = questions(prepared, chunks.artifact, settings)
    say(*asked.notes)
    evaluation = retrieval.evaluate_index(index, weights, asked.artifact, recipe.search, recipe.answers)
    plots = retrieval.draw_plots(evaluation.scores, evaluation.threshold)
    checks: list[Check] = []
    if recipe.canaries:
        bound = evaluation.threshold
        planted = retrieval.probe_canaries(
            chunks.artifact, vectors, weights, asked.artifact, recipe.search, recipe.answers, bound
        )
        checks += canaries.checks(planted)
    judged = None
    if settings.judge is not None:
        by = Judge(model=settings.judge, ragas=settings.judge_ragas, embeddings=settings.judge_embeddings)
        judged, told = held(partial(retrieval.judge_answers, evaluation.scores, asked.artifact, chunks.artifact, by))
        checks += told
    return Offered(
        prepared=prepared,
        corpus=corpus,
        snapshot=snapshot,
        parsed=parsed,
        weights=weights,
        chunks=chunks.artifact,
        index=index,
        pages=pages,
        asked=asked,
        evaluation=evaluation,
        judged=judged,
        plots=plots,
        checks=checks,
    )


def questions(prepared: Papers, chunks: Artifact, settings: Settings) -> Asked:
    """What a person wrote down to be asked, else what is proposed from the documents."""
    name = prepared.recipe.golden
    if name is None:
        return retrieval.propose_questions(chunks)
    return retrieval.settle_questions(load_golden(name, settings.folders), chunks)


def weights_of(embedding: Embedding, settings: Settings) -> Artifact:
    """The embedding model, converted once."""
    if embedding.dataset is None:
        return retrieval.hub_weights(embedding.name)
    raw = sources.fetch(load_dataset(embedding.dataset, settings.folders), {}, settings.remote_age)
    files = {file.part: file.artifact for file in raw.files}
    return retrieval.export_weights(files, embedding.name, embedding.precision)


def changed(changes: Changes) -> str:
    counts = {
        "added": len(changes.added),
        "changed": len(changes.changed),
        "removed": len(changes.removed),
        "renamed": len(changes.renamed),
        "unchanged": changes.unchanged,
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items())
