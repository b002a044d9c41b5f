"""Rows to a gated release. Started by `penstock train`, a deployment or its schedule; needs Prefect and MLflow."""

from prefect import flow

from flows.candidates import offer
from flows.orders import Order, prepare
from flows.receipts import say
from flows.tabular_candidate import Model
from flows.tabular_order import Rows
from tasks.artifacts import Artifact, opened
from tasks.registry.lineage import git_commit
from tasks.registry.road import Outcome
from tasks.settings import ROOT, Settings, load
from tasks.sources import steps as sources
from tasks.sources.reading import pieces
from tasks.sources.state import source_state
from tasks.tables import steps as tables
from tasks.tables.choose import Choice
from tasks.tables.contracts import Cause
from tasks.tables.fairness import Ground
from tasks.tables.features import source
from tasks.tables.specs import Subject, TabularRecipe


@flow(name="train-tabular", flow_run_name="{order.release}")
def train(order: Order) -> Outcome:
    """From the dataset's source to a decision about the candidate; what was done before is found, not done again."""
    settings = load()
    with opened(settings.store):
        prepared = prepare(order, settings)
        assert isinstance(prepared, Rows)
        return offer(make(prepared, settings), settings)


def make(prepared: Rows, settings: Settings) -> Model:
    """The cached steps in order: rows, checked rows, features, split, models, and the release of the chosen one."""
    recipe, dataset, order = prepared.recipe, prepared.dataset, prepared.order
    subject = recipe.subject(dataset.time, dataset.group)
    raw = sources.fetch(dataset, prepared.files, 0 if order.refresh else settings.remote_age)
    prepared.conditions["source"] = source_state(dataset, prepared.files, settings.remote_age)
    say(*raw.notes)
    table = sources.read(pieces(raw, dataset, prepared.contract), prepared.contract)
    snapshot = sources.snapshot(dataset.name, table, raw, dataset, git_commit(ROOT).commit)
    say(f"snapshot {snapshot.version} of {dataset.name}: {snapshot.rows} rows, {len(snapshot.columns)} columns")
    checked = tables.check_contract(table, prepared.contract)
    say(f"contract: {checked.bad_rows} of {checked.rows} rows quarantined", *map(described, checked.causes))
    code = source(recipe.features, settings.folders)
    features = tables.build_features(recipe.name, checked.good, subject, recipe.drop, recipe.features, code)
    split = tables.split_rows(checked.good, subject, recipe.split, recipe.drop)
    say("split: " + ", ".join(f"{part.part} {part.rows}" for part in split.report))
    choice, baseline = fit(recipe, features, split.artifact, subject, order.seed)
    say(f"{choice.metric} on validation: " + ", ".join(f"{name} {score:.4f}" for name, score in choice.scores.items()))
    scores = tables.score_rows(choice.model, features, split.artifact)
    evaluation = tables.evaluate(scores, checked.good, subject, tuple(recipe.slices))
    plots = tables.draw_plots(choice.model, features, scores, evaluation, subject)
    named = f"{dataset.name}@{snapshot.version}"
    return Model(
        prepared=prepared,
        snapshot=snapshot,
        plots=plots,
        subject=subject,
        rows=Ground(snapshot=named, table=checked.good, split=split.artifact, time=dataset.time),
        choice=choice,
        scores=scores,
        baseline_scores=tables.score_rows(baseline, features, split.artifact),
        evaluation=evaluation,
        code=code,
    )


def described(cause: Cause) -> str:
    return f"  {cause.rows} rows: {cause.column} {cause.check}, such as {cause.example!r}"


def fit(
    recipe: TabularRecipe, features: Artifact, split: Artifact, subject: Subject, seed: int | None
) -> tuple[Choice, Artifact]:
    """Search where the recipe asks for it, fit each family, choose; and the baseline that all must beat."""
    transform = tables.learn_encoding(features, split, subject)
    training = recipe.training(seed)
    if recipe.trials:
        found = tables.search_parameters(features, split, transform, subject, training, recipe.trials)
        say(f"search: {recipe.trials} trials, best {recipe.metric} on validation {found.score:.4f}")
        training = recipe.training(seed, found.parameters)
    families = (tables.fit_booster, tables.fit_linear)
    models = [family(features, split, transform, subject, training) for family in families]
    baseline = tables.fit_baseline(features, split, transform, subject, training)
    return tables.choose_model(models, baseline), baseline
