"""A trial beside the champion: what became of the answers of each, and whether it differs."""

from array import array
from collections.abc import Callable, Iterable, MutableSequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from tasks.statistics import Interval, newcombe, rows_needed, welch
from tasks.watching.log import Record

FEWEST = 30  # values of each side
FARTHEST = 100  # times as many values as there are: a number beyond that helps nobody

Kind = Literal["share", "mean"]
Key = tuple[str, str, int]
Values = MutableSequence[float]


class Measure(BaseModel):
    """One measure of both sides, over `counts` values each; `difference` is trial - champion, None where too few."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    higher_is_better: bool
    counts: tuple[int, int]
    champion: float | None
    trial: float | None
    difference: Interval | None
    says: str


MEASURES: dict[str, tuple[Kind, bool]] = {
    "positive ratings": ("share", True),
    "mean rating": ("mean", True),
    "accuracy": ("share", True),
    "absolute error": ("mean", False),
    "no answer": ("share", False),
    "latency_ms": ("mean", False),
}


def compare(
    read: Callable[[], Iterable[Record]], champion: str, trial: str, since: float, until: float
) -> list[Measure]:
    """Both versions' answers from `since` to `until` (seconds since the epoch) and the feedback on them.

    The log is read twice: first the feedback, then the predictions. The samples count as independent, which they are
    as far as people are: many ratings of one person, or rows of one batch, make the intervals too narrow. They hold for
    one look: whoever looks daily and stops at the first difference errs more often than in 5 % of cases."""
    told = feedback(read())
    sides: dict[str, dict[str, Values]] = {one: {name: array("d") for name in MEASURES} for one in (champion, trial)}
    for record in read():
        if record.kind == "prediction" and record.version in sides and since <= record.time <= until:
            for name, value in measured(record, told.pop(_key(record), None)):
                sides[record.version][name].append(value)
    found = [_measure(name, (champion, trial), sides[champion][name], sides[trial][name]) for name in _shown(sides)]
    return [one for one in found if any(one.counts)]


def feedback(records: Iterable[Record]) -> dict[Key, tuple[Any, int | None]]:
    """Label and rating by what they are about; of each the last one that was given."""
    found: dict[Key, tuple[float, Any, int | None]] = {}
    for record in records:
        if record.kind == "feedback" and (record.label is not None or record.rating is not None):
            when, label, rating = found.get(_key(record), (record.time, None, None))
            given = (record.label, label) if record.time >= when else (label, record.label)
            rated = (record.rating, rating) if record.time >= when else (rating, record.rating)
            found[_key(record)] = (max(when, record.time), _first(given), _first(rated))
    return {key: (label, rating) for key, (_, label, rating) in found.items()}


def measured(record: Record, said: tuple[Any, int | None] | None) -> Iterable[tuple[str, float]]:
    """What one answer adds to which measures."""
    output = record.output if isinstance(record.output, dict) else {}
    if record.latency_ms is not None:
        yield "latency_ms", record.latency_ms
    if isinstance(output.get("answered"), bool):
        yield "no answer", float(not output["answered"])
    label, rating = said or (None, None)
    if rating is not None:
        yield "mean rating", rating
        yield "positive ratings", float(rating > 0)
    if label is not None and "prediction" in output:
        yield from _right(output, label)


def _right(output: dict[str, Any], label: Any) -> Iterable[tuple[str, float]]:
    """A class is right or wrong, a number is off by so much."""
    said = output["prediction"]
    if isinstance(said, bool | str) or output.keys() & {"probability", "probabilities"}:
        yield "accuracy", float(said == label)
    elif isinstance(label, int | float):
        yield "absolute error", abs(said - label)


def _shown(sides: dict[str, dict[str, Values]]) -> list[str]:
    """Ratings are thumbs (-1 and 1) unless somebody gave more: then they are compared by their mean."""
    stars = any(value > 1 for side in sides.values() for value in side["mean rating"])
    return [name for name in MEASURES if name != ("positive ratings" if stars else "mean rating")]


def _measure(name: str, versions: tuple[str, str], champion: Values, trial: Values) -> Measure:
    kind, higher = MEASURES[name]
    counts = (len(champion), len(trial))
    difference = _difference(kind, np.array(trial), np.array(champion)) if min(counts) >= FEWEST else None
    return Measure(
        name=name,
        kind=kind,
        higher_is_better=higher,
        counts=counts,
        champion=float(np.mean(champion)) if champion else None,
        trial=float(np.mean(trial)) if trial else None,
        difference=difference,
        says=_says(difference, higher, versions, counts),
    )


def _difference(kind: Kind, trial: Any, champion: Any) -> Interval:
    if kind == "mean":
        return welch(trial, champion)
    return newcombe(int(trial.sum()), len(trial), int(champion.sum()), len(champion))


def _says(difference: Interval | None, higher: bool, versions: tuple[str, str], counts: tuple[int, int]) -> str:
    if difference is None:
        lacks = [f"{FEWEST - n} more of v{one}" for one, n in zip(versions, counts, strict=True) if n < FEWEST]
        return f"not enough: {' and '.join(lacks)}"
    if difference.low > 0 or difference.high < 0:
        return "the trial is better" if (difference.low > 0) is higher else "the trial is worse"
    needed = rows_needed(difference, sum(counts), 0)
    if needed is None or not sum(counts) < needed <= FARTHEST * sum(counts):
        return "no difference is shown"
    return f"no difference is shown; about {needed - sum(counts)} more would settle one of this size"


def _first(values: tuple[Any, Any]) -> Any:
    return values[0] if values[0] is not None else values[1]


def _key(record: Record) -> Key:
    return record.tenant, record.request_id, record.row
