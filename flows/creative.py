"""Rows of texts to a gated classifier. Started by `penstock train`, a deployment or its schedule."""

import time
from collections.abc import Callable
from pathlib import Path

from prefect import flow

from flows.candidates import offer
from flows.creative_candidate import Classified, Entrant
from flows.creative_order import PACKAGED, Copy, on_hub
from flows.curves import watched
from flows.documents import weights_of
from flows.orders import Order, prepare
from flows.receipts import say
from flows.rows import checked, compare_with_champion
from tasks.artifacts import Artifact, opened
from tasks.creative import steps as creative
from tasks.creative.specs import FAMILIES, Family
from tasks.creative.tuning import training_of, within
from tasks.errors import OverBudget
from tasks.language.base import Base, check_licence, weight_bytes
from tasks.registry.road import Outcome
from tasks.settings import Settings, load
from tasks.sources import steps as sources
from tasks.sources.catalog import load_dataset
from tasks.tables import steps as tables
from tasks.tables.fairness import Ground
from tasks.tables.specs import Subject


@flow(name="train-creative", flow_run_name="{order.release}")
def train(order: Order) -> Outcome:
    """From the dataset's source to a decision about the candidate; what was done before is found, not done again."""
    settings = load()
    with opened(settings.store):
        prepared = prepare(order, settings)
        assert isinstance(prepared, Copy)
        return offer(make(prepared, settings), settings)


def make(prepared: Copy, settings: Settings) -> Classified:
    """The cached steps in order: rows, texts, split, the competing models, and the release of the chosen one."""
    recipe, dataset = prepared.recipe, prepared.dataset
    subject = recipe.subject(dataset.time, dataset.group)
    snapshot, rows = checked(prepared, prepared.contract, settings)
    texts = creative.label_texts(rows, recipe.reading)
    if texts.empty or texts.cut:
        say(f"{texts.empty} rows without a word are left out, {texts.cut} texts are cut")
    compare_with_champion(prepared, texts.artifact, [*recipe.texts, recipe.reading.target], settings)
    split = tables.split_rows(texts.artifact, subject, recipe.split, recipe.beside(prepared.contract.columns))
    say("split: " + ", ".join(f"{part.part} {part.rows}" for part in split.report))
    entrants = competing(prepared, texts.artifact, split.artifact, subject, settings)
    constant = creative.fit_constant(texts.artifact, split.artifact, subject, recipe.texts)
    floor = creative.score_texts(constant, texts.artifact, split.artifact)
    scores = {name: creative.score_texts(one.model, texts.artifact, split.artifact) for name, one in entrants.items()}
    choice = creative.choose_model(scores, floor, texts.artifact, subject, recipe.metric)
    told = ", ".join(f"{name} {worth}" for name, worth in choice.worth.items())
    say(f"{recipe.metric} on validation: {told}", f"offered: {choice.family}: {choice.why}")
    chosen = entrants[choice.family]
    evaluation = tables.evaluate(scores[choice.family], texts.artifact, subject, tuple(recipe.slices))
    curve = chosen.tuned.curve if chosen.tuned else None
    return Classified(
        prepared=prepared,
        snapshot=snapshot,
        plots=creative.draw_plots(choice, scores[choice.family], texts.artifact, evaluation, subject, curve),
        subject=subject,
        rows=Ground(
            snapshot=f"{dataset.name}@{snapshot.version}",
            table=texts.artifact,
            split=split.artifact,
            time=dataset.time,
        ),
        choice=choice,
        chosen=chosen,
        scores=scores[choice.family],
        baseline_scores=floor,
        evaluation=evaluation,
    )


def competing(
    prepared: Copy, texts: Artifact, split: Artifact, subject: Subject, settings: Settings
) -> dict[Family, Entrant]:
    """The models of the recipe, the cheaper one first; an encoder that would take too long is left out and told."""
    recipe, started = prepared.recipe, time.monotonic()

    def words() -> Entrant:
        return Entrant(creative.fit_tfidf(texts, split, subject, recipe.texts, recipe.metric))

    def frozen() -> Entrant:
        weights = weights_of(recipe.embedding, age(prepared, settings), settings)
        return Entrant(creative.fit_frozen(texts, split, subject, recipe.texts, recipe.metric, weights))

    def encoder() -> Entrant:
        left = None if recipe.budget is None else max(0.0, 60 * recipe.budget - (time.monotonic() - started))
        with within(left):
            return tuned(prepared, texts, split, subject, settings)

    makers: dict[Family, Callable[[], Entrant]] = {"tfidf": words, "embedding": frozen, "encoder": encoder}
    found: dict[Family, Entrant] = {}
    for family in FAMILIES:
        if family in recipe.candidates:
            try:
                found[family] = makers[family]()
                if cut := found[family].model.meta["cut"]:
                    say(f"{cut} texts are longer than the {family} reads: of them it knows the beginning alone")
            except OverBudget as error:
                if not found:
                    raise
                say(f"the {family} is left out: {error}")
    return found


def tuned(prepared: Copy, texts: Artifact, split: Artifact, subject: Subject, settings: Settings) -> Entrant:
    """A fine-tuned encoder, exported and calibrated."""
    recipe = prepared.recipe
    base = base_of(prepared, settings)
    check_licence(base, recipe.licences)
    options = recipe.encoder.settled(weight_bytes(base.artifact)).model_copy(update={"seed": seed(prepared)})
    training = training_of(base.artifact, texts, split, subject, options)
    with watched(recipe.name, training, settings):
        learned = creative.tune_encoder(base.artifact, texts, split, subject, options)
    said, cost = "ended early" if learned.stopped_early else "learned", learned.cost
    took = f"{learned.tokens} tokens in {cost.seconds:.0f} s on {cost.device}"
    say(f"encoder {base.name}: {said} after {learned.steps} steps, {took}")
    made = creative.export_encoder(learned.encoder, texts, split, subject, recipe.precision, recipe.metric)
    say(f"exported as {made.precision}: a probability differs from torch's by {made.difference:.2g} at most")
    if made.note:
        say(made.note)
    facts = {"base": base.name, "precision": made.precision, "difference": made.difference}
    model = creative.wrap_encoder(texts, split, subject, recipe.texts, made.artifact, facts)
    return Entrant(model, base=base, tuned=learned, exported=made, training=training)


def base_of(prepared: Copy, settings: Settings) -> Base:
    encoder = prepared.recipe.encoder
    if encoder.base == PACKAGED:
        dataset = load_dataset(PACKAGED, settings.folders)
        raw = sources.fetch(dataset, {}, age(prepared, settings))
        files = {file.part: file.artifact for file in raw.files}
        return creative.packaged_base(files, dataset.title.partition(" (")[0], dataset.licence)
    if encoder.revision is not None and on_hub(prepared.recipe):
        return creative.hub_base(encoder.base, encoder.revision, encoder.licence)
    return creative.folder_base(str(Path(encoder.base)), encoder.base, encoder.licence or "unknown")


def age(prepared: Copy, settings: Settings) -> float:
    return 0 if prepared.order.refresh else settings.remote_age


def seed(prepared: Copy) -> int:
    return prepared.recipe.encoder.seed if prepared.order.seed is None else prepared.order.seed
