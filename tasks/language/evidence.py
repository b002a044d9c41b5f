"""The evidence that the gate decides on: candidate, opponent and base asked the same judged examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.language.evaluation import Evaluation, Row, of_part, read_rows, telling, terms, values
from tasks.language.metrics import difference, perplexity_difference
from tasks.language.specs import LOW, AssistantRecipe
from tasks.registry.budgets import size_check
from tasks.registry.gate import Check, Evidence, floor_check
from tasks.statistics import Interval, intervals

ENDED, LOOPED = 0.95, 0.05  # of the answers must come to an end; at most so many may go round
ANSWERS = ("exact_match", "f1")
FEWEST = 5  # facts that were never trained, for a leak to be seen
UNKNOWN = "What {} was trained on is gone, so the examples may be among it: being worse shows nothing."


class Side(BaseModel, frozen=True):
    """A version, or the base, with its evaluation and the examples that it was trained on; None: not known any more."""

    version: str
    evaluation: Evaluation
    trained: frozenset[str] | None = frozenset()


class Fair(BaseModel, frozen=True):
    """Rows of both sides on examples that neither was trained on, in one order."""

    ours: list[Row]
    theirs: list[Row]
    left_out: int


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
    there is one. `extra` are the checks of the service."""
    ours = read_rows(candidate.evaluation.scores)
    against, alone = fair(ours, opponent), fair(ours, base)
    gaps = [gap(recipe.metric, fair(ours, rival)) for rival in rivals]
    told = telling(against.ours)
    checks = [
        *enough(recipe, told, opponent, against),
        *against_base(recipe, alone),
        *(not_worse(name, against, opponent.version) for name in ANSWERS),
        *leaks(alone),
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
        rows=len(told),
        candidate_metrics=candidate.evaluation.metrics,
        opponent_metrics=opponent.evaluation.metrics,
        difference=gap(recipe.metric, against),
        checks=checks,
        against_best=min(gaps, key=lambda one: one.value, default=None),
        doubt=None if opponent.trained is not None else UNKNOWN.format(opponent.version),
        measured={check.name: check.number for check in checks if check.measured},
    )


def fair(ours: Sequence[Row], side: Side) -> Fair:
    """What both were asked, less what the other side was trained on. BadInput: too little is left."""
    theirs = {row.id: row for row in read_rows(side.evaluation.scores)}
    trained = side.trained or frozenset()
    kept = [row for row in ours if row.id in theirs and row.id not in trained]
    if len(telling(kept)) < 2:
        raise BadInput(
            f"{side.version} was asked other examples, or trained on those that are judged now: {len(telling(kept))} "
            "are left to compare on. Give more data, or let the new version replace it unseen by `penstock approve "
            "--override`."
        )
    return Fair(ours=kept, theirs=[theirs[row.id] for row in kept], left_out=len(ours) - len(kept))


def gap(metric: str, both: Fair) -> Interval:
    """The paired difference on what decides; positive where ours are better."""
    chosen = {row.id for row in telling(both.ours)}
    one, other = ([row for row in side if row.id in chosen] for side in (both.ours, both.theirs))
    if metric == "perplexity":
        return perplexity_difference(terms(one), terms(other))
    return difference(values(metric, one), values(metric, other))


def enough(recipe: AssistantRecipe, told: Sequence[Row], opponent: Side, against: Fair) -> list[Check]:
    """Intervals of few rows are too narrow: with two of them every fourth adapter of no worth would look better."""
    rows = len(told)
    text = f"{rows} examples decide; the recipe asks for {recipe.min_rows}."
    found = [Check(name="rows", number=rows, bound=f">= {recipe.min_rows}", ok=rows >= recipe.min_rows, text=text)]
    if told and told[0].part == "never":
        text = "No fact has two wordings: facts that were not trained decide, and no leak can be seen."
        found.append(Check(name="wordings", number=None, bound="told", ok=True, text=text))
    if against.left_out:
        text = f"{against.left_out} examples were left out, which {opponent.version} was trained on or cannot be asked."
        found.append(Check(name="left out", number=against.left_out, bound="told", ok=True, text=text))
    return found


def against_base(recipe: AssistantRecipe, alone: Fair) -> list[Check]:
    """An adapter that only matches its base has learned nothing, whatever the champion is worth. Facts that nobody
    trained need not be answered exactly."""
    trained = telling(alone.ours)[0].part == "held"
    found = []
    for name in dict.fromkeys((recipe.metric, "perplexity", *(("exact_match",) if trained else ()))):
        one = gap(name, alone)
        text = f"{name} differs from the base by {one} (positive is better); the whole interval must be above 0."
        found.append(Check(name=f"base {name}", number=one.low, bound="> 0", ok=one.low > 0, text=text))
    return found


def not_worse(name: str, against: Fair, other: str) -> Check:
    """A better loss must not come with worse answers."""
    one = gap(name, against)
    text = f"{name} differs from {other} by {one}; it must not be shown to be worse."
    return Check(name=f"answers {name}", number=one.high, bound=">= 0", ok=one.high >= 0, text=text)


def leaks(alone: Fair) -> list[Check]:
    """Facts that were never trained must not become known as trained ones are: else what is judged was trained on.

    A tuned model that has learned the form of the answers guesses some of them, the more the fewer values there are;
    only one that answers them as often as what it was trained on, and is as sure of them, knows them."""
    pairs = [(one, other) for one, other in zip(alone.ours, alone.theirs, strict=True) if one.part == "never"]
    held = of_part(alone.ours, "held")
    if len(pairs) < FEWEST or not held:
        return []
    never = [one for one, _ in pairs]
    more = difference(values("exact_match", never), values("exact_match", [other for _, other in pairs]))
    unsure, rarer = apart(terms(never), terms(held)), apart(right(held), right(never))
    text = (
        f"Of {len(never)} facts that were never trained, the share answered rose by {more} over the base's, is below "
        f"that of trained facts by {rarer}, and their loss is above by {unsure} a token."
    )
    ok = more.low <= 0 or unsure.low > 0 or rarer.low > 0
    return [Check(name="leak", number=more.low, bound="<= 0, or not as known", ok=ok, text=text)]


def right(rows: Sequence[Row]) -> Any:
    """1 where the answer is exact, and 1 to divide by, [n, 2]."""
    return np.column_stack([values("exact_match", rows), np.ones(len(rows))])


def apart(ours: Any, theirs: Any) -> Interval:
    """How much higher the mean of the first is than that of the others: [n, 2], what is summed and what divides it."""
    first = np.hstack([ours, np.zeros_like(ours)])
    second = np.hstack([np.zeros_like(theirs), theirs])

    def gap(means: Any) -> Any:
        return means[..., 0] / np.maximum(means[..., 1], 1e-9) - means[..., 2] / np.maximum(means[..., 3], 1e-9)

    return intervals(np.vstack([first, second]), [gap])[0]


def behaviour(recipe: AssistantRecipe, found: dict[str, Interval]) -> list[Check]:
    """Answers end, and do not go round; where the recipe has floors of its own for that, these count."""
    checks = []
    for name, bound, better in (("stopped", ENDED, True), ("looped", LOOPED, False)):
        if name not in recipe.floors and name in found:
            checks.append(floor_check(name, found[name], bound, better))
    return checks


def floors(recipe: AssistantRecipe, found: dict[str, Interval]) -> list[Check]:
    """A floor of what was not measured is refused by the gate itself."""
    return [
        floor_check(name, found[name], bound, name not in LOW) for name, bound in recipe.floors.items() if name in found
    ]
