"""The evidence that the gate decides on: candidate and opponent asked the same questions of the same corpus."""

from collections.abc import Sequence
from contextlib import closing

from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.registry.budgets import latency_check, size_check
from tasks.registry.gate import Check, Evidence, floor_check
from tasks.retrieval.evaluation import Row, measures, read_rows
from tasks.retrieval.metrics import gap, ranking
from tasks.retrieval.served import Served, read_release
from tasks.retrieval.specs import DocumentsRecipe
from tasks.statistics import Interval

WRONGLY = 0.2  # most of the unanswerable questions that may be answered, where the recipe has no floor for `refused`
FEWEST = 5  # questions about a document that is a slice


class Side(BaseModel, frozen=True):
    """A version with the scores of its evaluation; None for the baseline, an index that finds nothing."""

    version: str
    scores: Artifact | None = None


def gather(
    recipe: DocumentsRecipe,
    snapshot: str,
    candidate: Side,
    opponent: Side,
    release: Artifact,
    rivals: Sequence[Side] = (),
    notes: Sequence[str] = (),
    extra: Sequence[Check] = (),
    judged: dict[str, Interval] | None = None,
) -> Evidence:
    """Everything that the gate asks of an index; `notes` are sentences about the questions (stale ones, or that they
    were proposed), `extra` the checks of the canaries and the judge.

    All sides must have been asked the same questions: the newest ones that the newest corpus can answer."""
    ours = _rows(candidate)
    theirs = _beside(ours, opponent)
    gaps = [_gap(recipe.metric, ours, _beside(ours, rival)) for rival in rivals]
    measured = measures(ours) | (judged or {})
    checks = [
        *(_note(place, text) for place, text in enumerate(notes, start=1)),
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
    folder, store = current().path(release), current()
    checks = size_check("index", [store.path(read_release(folder).index)], recipe.budgets)
    if recipe.budgets.latency_ms is None:
        return checks
    with closing(Served.load(folder, store.path)) as served:
        return checks + latency_check("search", served.search, questions, recipe.budgets)
