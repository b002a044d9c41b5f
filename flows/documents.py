"""A folder of documents to a gated index. Started by `penstock train`, a deployment, its schedule or an upload."""

from prefect import flow

from flows.candidates import offer
from flows.documents_candidate import Index
from flows.documents_order import Papers, endpoint, endpoint_of
from flows.orders import Order, Prepared, prepare
from flows.receipts import say
from tasks.artifacts import Artifact, Store, current, opened
from tasks.documents import steps as documents
from tasks.documents import uploads
from tasks.documents.manifest import Changes, Corpus, CorpusSnapshot
from tasks.documents.parse import ParsedCorpus
from tasks.documents.parsed import PageOptions
from tasks.registry.gate import Check
from tasks.registry.lineage import git_commit
from tasks.registry.road import Outcome
from tasks.retrieval import canaries
from tasks.retrieval import steps as retrieval
from tasks.retrieval.golden import Asked, load_golden
from tasks.retrieval.judges import Judge, Judged, held, ragas_version
from tasks.retrieval.opening import server_of
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
        made = make(prepared, settings)
        settle_uploads(store, made)
        return offer(made, settings)


def settle_uploads(store: Store, offered: Index) -> None:
    """Say of each upload whether it could be read; what was not read for now waits."""
    waiting, parsed = set(offered.parsed.passing), offered.parsed
    digests = {one.path: one.digest for one in offered.corpus.documents if one.path not in waiting}
    problems = {one.document: one.reason for one in parsed.problems}
    uploads.settle(store, offered.snapshot.dataset, offered.release, digests, problems)


def make(prepared: Papers, settings: Settings) -> Index:
    """The cached steps in order: corpus, pages, chunks, vectors, index, page images, and its scores on questions."""
    recipe = prepared.recipe
    corpus, snapshot, parsed = read(prepared, recipe.pages)
    age = 0 if prepared.order.refresh else settings.remote_age
    weights = weights_of(recipe.embedding, age, settings)
    chunks = documents.chunk(parsed.artifact, weights, recipe.chunks)
    vectors = retrieval.embed_chunks(chunks.artifact, weights)
    say(f"{chunks.count} chunks")
    index = retrieval.build_index(chunks.artifact, vectors)
    if server := server_of(settings.qdrant):
        say(f"collection {retrieval.publish_index(recipe.name, index, current().path(index), server)} on {server.url}")
    images = documents.images(snapshot.manifest, parsed.artifact) if recipe.images else None
    if images:
        say(*(f"  no image: {problem.document}: {problem.reason}" for problem in images.problems))
    if waiting := [*parsed.passing, *(images.passing if images else [])]:
        prepared.conditions["not read for now"] = ", ".join(waiting)  # no receipt stands for that: the next run tries
    rerank = retrieval.keep_cross_encoder(recipe.search.rerank) if recipe.search.rerank else None
    asked, at = questions(prepared, chunks.artifact, settings), endpoint_of(recipe.answers)
    say(*asked.notes, "asking the index these questions")
    evaluation = retrieval.evaluate_index(index, weights, asked.artifact, recipe.search, recipe.answers, rerank, at)
    plots = retrieval.draw_plots(evaluation.scores, evaluation.threshold)
    checks: list[Check] = []
    if recipe.canaries:
        say("asking them beside planted documents")
        bound = evaluation.threshold
        planted = retrieval.probe_canaries(
            chunks.artifact, vectors, weights, asked.artifact, recipe.search, recipe.answers, bound, rerank, at
        )
        checks += canaries.checks(planted)
    judged, told = judgement(prepared, evaluation.scores, asked, chunks.artifact, settings)
    return Index(
        prepared=prepared,
        corpus=corpus,
        snapshot=snapshot,
        parsed=parsed,
        weights=weights,
        chunks=chunks.artifact,
        index=index,
        pages=images.artifact if images else None,
        rerank=rerank,
        asked=asked,
        evaluation=evaluation,
        judge=settings.judge,
        judged=judged,
        plots=plots,
        checks=[*checks, *told],
    )


def read(prepared: Prepared, pages: PageOptions) -> tuple[Corpus, CorpusSnapshot, ParsedCorpus]:
    """The documents as they are now, and what could be read of them: an index and an assistant share these steps."""
    dataset = prepared.dataset
    corpus = documents.scan(dataset, prepared.files)
    say(*corpus.notes)
    snapshot = documents.snapshot(corpus, git_commit(ROOT).commit)
    say(f"snapshot {snapshot.version} of {dataset.name}: {snapshot.documents} documents, {changed(snapshot.changes)}")
    parsed = documents.parse(snapshot.manifest, pages, documents.reader(pages))
    say(f"{parsed.pages} pages of {parsed.documents} documents")
    say(*(f"  {count} documents are marked {mark}" for mark, count in parsed.marks.items()))
    say(*(f"  not read: {problem.document}: {problem.reason}" for problem in parsed.problems))
    say(*(f"  {note}" for note in parsed.notes))
    return corpus, snapshot, parsed


def questions(prepared: Papers, chunks: Artifact, settings: Settings) -> Asked:
    """What a person wrote down to be asked, else what is proposed from the documents."""
    name = prepared.recipe.golden
    if name is None:
        return retrieval.propose_questions(chunks)
    return retrieval.settle_questions(load_golden(name, settings.folders), chunks)


def judgement(
    prepared: Papers, scores: Artifact, asked: Asked, chunks: Artifact, settings: Settings
) -> tuple[Judged | None, list[Check]]:
    """What a judge says of the answers, where the settings name one; a failed check where it gave no verdict."""
    if settings.judge is None:
        return None, []
    judged, checks = held(lambda: retrieval.judge_answers(scores, asked.artifact, chunks, judge_of(settings)))
    if judged is None:
        prepared.conditions["judge"] = "no verdict"  # no receipt stands for that: the next run asks again
    return judged, checks


def judge_of(settings: Settings) -> Judge:
    """The judge of the settings, with where it is asked and the version of RAGAS; Unavailable where there is none."""
    python = settings.judge_ragas
    return Judge(
        model=str(settings.judge),
        ragas=python,
        embeddings=settings.judge_embeddings,
        endpoint=endpoint(),
        version=ragas_version(python) if python else "",
    )


def weights_of(embedding: Embedding, age: float, settings: Settings) -> Artifact:
    """The embedding model, converted once; its source is looked at again after `age` seconds."""
    if embedding.dataset is None:
        return retrieval.hub_weights(embedding.name)
    raw = sources.fetch(load_dataset(embedding.dataset, settings.folders), {}, age)
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
