"""The evidence that the gate decides on: candidate and opponent asked the same questions of the same corpus."""

from collections.abc import Callable, Sequence
from time import process_time
from typing import Any

from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.registry.gate import Check, Evidence, floor_check
from tasks.retrieval.evaluation import Row, measures, read_rows
from tasks.retrieval.metrics import gap, ranking
from tasks.retrieval.served import Served, read_release
from tasks.retrieval.specs import METRICS, DocumentsRecipe
from tasks.statistics import Interval

WRONGLY = 0.2  # most of the unanswerable questions that may be answered, where the recipe has no floor for `refused`
FEWEST = 5  # questions about a document that is a slice
CALLS = 20
SERIES = 3


class Side(BaseModel, frozen=True):
    """A version with the scores of its evaluation; None for the baseline, an index that finds nothing."""

    version: str
    scores: Artifact | None = None


class Facts(BaseModel, frozen=True):
    """What the flow knows; `notes` are sentences about the questions (stale ones, or that they were proposed)."""

    data_changed: bool = False
    code_changed: bool = False
    rolled_back: bool = False
    notes: tuple[str, ...] = ()


def gather(
    recipe: DocumentsRecipe,
    snapshot: str,
    candidate: Side,
    opponent: Side,
    release: Artifact,
    facts: Facts,
    rivals: Sequence[Side] = (),
    extra: Sequence[Check] = (),
    judged: dict[str, Interval] | None = None,
) -> Evidence:
    """Everything that the gate asks of an index; `extra` are the checks of the canaries and the judge.

    All sides must have been asked the same questions: the newest ones that the newest corpus can answer."""
    ours = _rows(candidate)
    theirs = _beside(ours, opponent)
    gaps = [_gap(recipe.metric, ours, _beside(ours, rival)) for rival in rivals]
    measured = measures(ours) | (judged or {})
    checks = [
        *(_note(place, text) for place, text in enumerate(facts.notes, start=1)),
        *_floors(recipe, measured),
        *_refusals(recipe, ours),
        *_slices(recipe, ours),
        *extra,
        *check_budgets(recipe, release, [row.question for row in ours]),
    ]
    return Evidence(
        release=recipe.name,
        candidate=candidate.version,
        opponent=opponent.version,
        snapshot=snapshot,
        metric=recipe.metric,
        higher_is_better=True,
        margin=recipe.margin,
        rows=sum(row.answerable for row in ours),
        candidate_metrics=measured,
        opponent_metrics=measures(theirs),
        difference=_gap(recipe.metric, ours, theirs),
        checks=checks,
        data_changed=facts.data_changed,
        code_changed=facts.code_changed,
        rolled_back=facts.rolled_back,
        against_best=min(gaps, key=lambda one: one.value, default=None),
        measured={check.name: check.number for check in checks if check.measured},
    )


def _rows(side: Side) -> list[Row]:
    if side.scores is None:
        raise BadInput(f"{side.version} was not evaluated; evaluate it before the gate.")
    return read_rows(side.scores)


def _beside(ours: list[Row], side: Side) -> list[Row]:
    """The other side's rows of the same questions; of the baseline, rows that found nothing."""
    if side.scores is None:
        nothing = {"rank": None, "answered": False, "confidence": 0.0, "answer": "", "found": (), "cited": ()}
        return [row.model_copy(update=nothing) for row in ours]
    theirs = read_rows(side.scores)
    if [row.id for row in ours] != [row.id for row in theirs]:
        raise BadInput(f"{side.version} was asked other questions; evaluate both sides on the same ones.")
    return theirs


def _gap(metric: str, ours: list[Row], theirs: list[Row]) -> Interval:
    pairs = [(one, other) for one, other in zip(ours, theirs, strict=True) if one.answerable]
    values = [[ranking(row.rank)[metric] for row in side] for side in zip(*pairs, strict=True)]
    return gap(values[0], values[1], [one.group for one, _ in pairs])


def _floors(recipe: DocumentsRecipe, measured: dict[str, Interval]) -> list[Check]:
    """A floor of what was not measured is refused by the gate itself."""
    return [
        floor_check(name, measured[name], bound, higher_is_better=True)
        for name, bound in recipe.floors.items()
        if name in measured
    ]


def _refusals(recipe: DocumentsRecipe, ours: list[Row]) -> list[Check]:
    """An index must know what it does not hold."""
    asked = [row for row in ours if not row.answerable]
    if not asked or "refused" in recipe.floors:
        return []
    answered = [row.question for row in asked if row.answered]
    wrong = len(answered) / len(asked)
    such = f" (such as {answered[0]!r})" if answered else ""
    text = f"{wrong:.0%} of {len(asked)} unanswerable questions were answered{such}; at most {WRONGLY:.0%} may be."
    return [Check(name="wrongly answered", number=wrong, bound=f"<= {WRONGLY:g}", ok=wrong <= WRONGLY, text=text)]


def _slices(recipe: DocumentsRecipe, ours: list[Row]) -> list[Check]:
    """The slice floors for each document with enough questions; the only slice that there is is `document`."""
    if unknown := sorted(set(recipe.slices) - {"document"}):
        raise BadInput(f"The recipe's `slices` name {', '.join(unknown)}; documents have the slice `document` only.")
    if unknown := sorted(set(recipe.slice_floors) - set(METRICS)):
        raise BadInput(f"No document has the metric {', '.join(unknown)}; slice floors take: {', '.join(METRICS)}.")
    checks = []
    for document in sorted({row.group for row in ours if row.answerable}) if recipe.slices else []:
        rows = [row for row in ours if row.group == document]
        if len(rows) >= FEWEST:
            found = measures(rows)
            checks += [
                floor_check(name, found[name], bound, higher_is_better=True, part=f"document={document}")
                for name, bound in recipe.slice_floors.items()
            ]
    return checks


def _note(place: int, text: str) -> Check:
    return Check(name=f"questions {place}", number=None, bound="told", ok=True, text=f"{text[:1].upper()}{text[1:]}.")


def check_budgets(recipe: DocumentsRecipe, release: Artifact, questions: list[str]) -> list[Check]:
    """Size of the index and CPU time of one search, as they are named in the release folder."""
    checks, budgets, folder = [], recipe.budgets, current().path(release)
    if budgets.size_mb is not None:
        checks.append(_size(read_release(folder).index, budgets.size_mb))
    if budgets.latency_ms is not None:
        served = Served.load(folder, current().path)
        checks.append(latency_check(served.search, questions, budgets.latency_ms))
        served.close()
    return checks


def _size(index: Artifact, budget: float) -> Check:
    size = sum(file.stat().st_size for file in current().path(index).rglob("*") if file.is_file()) / 1e6
    text = f"The index has {size:.2f} MB; the recipe allows {budget:g} MB."
    return Check(name="size", number=size, bound=f"<= {budget:g} MB", ok=size <= budget, text=text)


def latency_check(search: Callable[[str], Any], questions: list[str], budget: float) -> Check:
    """CPU milliseconds of one search; measured again where it is over the budget."""
    took = cpu_ms(search, questions)
    if took > budget:
        took = min(took, cpu_ms(search, questions))
    text = f"One search takes {took:.1f} ms of CPU; the recipe allows {budget:g} ms."
    bound = f"<= {budget:g} ms"
    return Check(name="latency", number=took, bound=bound, ok=took <= budget, text=text, measured=True)


def cpu_ms(search: Callable[[str], Any], questions: list[str]) -> float:
    """The mean of a series of searches, the least of several series."""
    return min(_series(search, questions) for _ in range(SERIES))


def _series(search: Callable[[str], Any], questions: list[str]) -> float:
    start = process_time()
    for call in range(CALLS):
        search(questions[call % len(questions)])
    return (process_time() - start) * 1000 / CALLS
