"""The evidence that the gate decides on: candidate, opponent and base asked the same judged examples."""

from collections.abc import Sequence

from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.language.evaluation import Evaluation, Row, of_part, read_rows, terms, values
from tasks.language.metrics import difference, perplexity_difference
from tasks.language.specs import LOW, AssistantRecipe
from tasks.registry.budgets import size_check
from tasks.registry.gate import Check, Evidence, floor_check
from tasks.statistics import Interval

ENDED, LOOPED = 0.95, 0.05  # of the answers must come to an end; at most so many may go round
ANSWERS = ("exact_match", "f1")


class Side(BaseModel, frozen=True):
    """A version, or the base, with its evaluation."""

    version: str
    evaluation: Evaluation


def gather(
    recipe: AssistantRecipe,
    snapshot: str,
    candidate: Side,
    base: Side,
    opponent: Side,
    merged: Artifact,
    rivals: Sequence[Side] = (),
    extra: Sequence[Check] = (),
) -> Evidence:
    """Everything that the gate asks of an adapter: better than its base in any case, and than the champion where
    there is one. `extra` are the checks of the built service."""
    ours = read_rows(candidate.evaluation.scores)
    theirs = {side.version: beside(ours, side) for side in (base, opponent, *rivals)}
    gaps = [gap(recipe.metric, ours, theirs[rival.version]) for rival in rivals]
    checks = [
        *against_base(recipe, ours, theirs[base.version]),
        *(not_worse(name, ours, theirs[opponent.version], opponent.version) for name in ANSWERS),
        *leaks(ours, theirs[base.version]),
        *behaviour(recipe, candidate.evaluation.metrics),
        *floors(recipe, candidate.evaluation.metrics),
        *size_check("merged model", [current().path(merged)], recipe.budgets),
        *extra,
    ]
    return Evidence(
        release=recipe.name,
        candidate=candidate.version,
        opponent=opponent.version,
        snapshot=snapshot,
        metric=recipe.metric,
        higher_is_better=recipe.metric not in LOW,
        margin=recipe.margin,
        rows=len(of_part(ours, "held")),
        candidate_metrics=candidate.evaluation.metrics,
        opponent_metrics=opponent.evaluation.metrics,
        difference=gap(recipe.metric, ours, theirs[opponent.version]),
        checks=checks,
        against_best=min(gaps, key=lambda one: one.value, default=None),
        measured={check.name: check.number for check in checks if check.measured},
    )


def beside(ours: Sequence[Row], side: Side) -> list[Row]:
    theirs = read_rows(side.evaluation.scores)
    if [row.id for row in ours] != [row.id for row in theirs]:
        raise BadInput(f"{side.version} was asked other examples; evaluate both sides on the same ones.")
    return theirs


def gap(metric: str, ours: Sequence[Row], theirs: Sequence[Row]) -> Interval:
    """The paired difference on trained facts in wordings that were not trained; positive where ours are better."""
    one, other = of_part(ours, "held"), of_part(theirs, "held")
    if metric == "perplexity":
        return perplexity_difference(terms(one), terms(other))
    return difference(values(metric, one), values(metric, other))


def against_base(recipe: AssistantRecipe, ours: Sequence[Row], base: Sequence[Row]) -> list[Check]:
    """An adapter that only matches its base has learned nothing, whatever the champion is worth."""
    found = []
    for name in dict.fromkeys((recipe.metric, "perplexity", "exact_match")):
        one = gap(name, ours, base)
        text = f"{name} differs from the base by {one} (positive is better); the whole interval must be above 0."
        found.append(Check(name=f"base {name}", number=one.low, bound="> 0", ok=one.low > 0, text=text))
    return found


def not_worse(name: str, ours: Sequence[Row], theirs: Sequence[Row], other: str) -> Check:
    """A better loss must not come with worse answers."""
    one = gap(name, ours, theirs)
    text = f"{name} differs from {other} by {one}; it must not be shown to be worse."
    return Check(name=f"answers {name}", number=one.high, bound=">= 0", ok=one.high >= 0, text=text)


def leaks(ours: Sequence[Row], base: Sequence[Row]) -> list[Check]:
    """Facts that were never trained must not become known: else what is judged has been trained on."""
    one, other = of_part(ours, "never"), of_part(base, "never")
    if len(one) < 2:
        return []
    more = difference(values("exact_match", one), values("exact_match", other))
    text = f"Of {len(one)} facts that were never trained, the share answered rose by {more} over the base's."
    return [Check(name="leak", number=more.low, bound="<= 0", ok=more.low <= 0, text=text)]


def behaviour(recipe: AssistantRecipe, found: dict[str, Interval]) -> list[Check]:
    """Answers end, and do not go round; where the recipe has floors of its own for that, these count."""
    checks = []
    for name, bound, better in (("stopped", ENDED, True), ("looped", LOOPED, False)):
        if name not in recipe.floors:
            checks.append(floor_check(name, found[name], bound, better))
    return checks


def floors(recipe: AssistantRecipe, found: dict[str, Interval]) -> list[Check]:
    """A floor of what was not measured is refused by the gate itself."""
    return [
        floor_check(name, found[name], bound, name not in LOW) for name, bound in recipe.floors.items() if name in found
    ]
