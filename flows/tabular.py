"""Rows to a gated release. Started by `penstock train`, a deployment or its schedule; needs Prefect and MLflow."""

from prefect import flow

from flows.candidates import offer
from flows.orders import Order, prepare
from flows.receipts import say
from flows.rows import checked, compare_with_champion
from flows.tabular_candidate import Model
from flows.tabular_order import Rows
from tasks.artifacts import Artifact, opened
from tasks.registry.road import Outcome
from tasks.settings import Settings, load
from tasks.tables import steps as tables
from tasks.tables.choose import Choice
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
    recipe, dataset = prepared.recipe, prepared.dataset
    subject = recipe.subject(dataset.time, dataset.group)
    snapshot, rows = checked(prepared, prepared.contract, settings)
    left = {*recipe.drop, *subject.carried}
    compare_with_champion(prepared, rows, [one for one in prepared.contract.columns if one not in left], settings)
    code = source(recipe.features, settings.folders)
    features = tables.build_features(recipe.name, rows, subject, recipe.drop, recipe.features, code)
    split = tables.split_rows(rows, subject, recipe.split, recipe.drop)
    say("split: " + ", ".join(f"{part.part} {part.rows}" for part in split.report))
    choice, baseline = fit(recipe, features, split.artifact, subject, prepared.order.seed)
    say(f"{choice.metric} on validation: " + ", ".join(f"{name} {score:.4f}" for name, score in choice.scores.items()))
    scores = tables.score_rows(choice.model, features, split.artifact)
    evaluation = tables.evaluate(scores, rows, subject, tuple(recipe.slices))
    plots = tables.draw_plots(choice.model, features, scores, evaluation, subject)
    named = f"{dataset.name}@{snapshot.version}"
    return Model(
        prepared=prepared,
        snapshot=snapshot,
        plots=plots,
        subject=subject,
        rows=Ground(snapshot=named, table=rows, split=split.artifact, time=dataset.time),
        choice=choice,
        scores=scores,
        baseline_scores=tables.score_rows(baseline, features, split.artifact),
        evaluation=evaluation,
        code=code,
    )


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
