"""The windows of a watched release: one record each, in order, never changed; the latest ones make an alarm."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tasks.artifacts import Store, canonical
from tasks.registry.recipes import Watch
from tasks.statistics import Interval
from tasks.watching.drift import Verdict, alarm


class Slice(BaseModel):
    """The recipe's metric on the labelled rows where `column` is `value`."""

    model_config = ConfigDict(frozen=True)

    column: str
    value: str
    rows: int
    metric: Interval


class Quality(BaseModel):
    """What the labels say of a window: the metric with its interval beside what was promised at promotion."""

    model_config = ConfigDict(frozen=True)

    metric: str
    rows: int
    value: Interval
    promised: Interval | None = None
    kept: bool = True
    slices: tuple[Slice, ...] = ()


class Estimate(BaseModel):
    """What the scores say before labels come; `error`: by how much earlier estimates missed on average."""

    model_config = ConfigDict(frozen=True)

    metric: str
    value: Interval
    error: float | None = None
    windows: int = 0


class Window(BaseModel):
    """The rows of some parts of the prediction log that one champion answered, compared with its reference.

    `since` and `until` are the earliest and latest time of the rows (s since the epoch), as their clocks had it;
    `others` were answered by other versions; `faults` names rows that break the contract, which are no drift."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    release: str
    number: int
    champion: int
    reference: str
    parts: tuple[str, ...]
    rows: int
    others: int = 0
    since: float
    until: float
    verdict: Verdict
    alarm: bool = False
    faulty: int = 0
    faults: dict[str, int] = Field(default_factory=dict)
    quality: Quality | None = None
    estimate: Estimate | None = None
    notes: tuple[str, ...] = ()
    report: str | None = None
    made: float


def windows(store: Store, release: str) -> list[Window]:
    """All windows in order."""
    return [Window.model_validate_json(store.read(name)) for name in store.list(f"watch/{release}/windows")]


def keep(store: Store, window: Window) -> bool:
    """Write a window; False where another writer was first with this number."""
    name = f"watch/{window.release}/windows/{window.number:06}.json"
    return store.create(name, canonical(window.model_dump(mode="json")))


def taken(known: list[Window]) -> set[str]:
    """The parts of the log that stand in a window already."""
    return {part for window in known for part in window.parts}


def alarmed(known: list[Window], champion: int, exceeds: bool, watch: Watch) -> bool:
    """Whether the next window of this champion raises an alarm: windows of earlier champions do not count."""
    same = [window.verdict.exceeds for window in known if window.champion == champion]
    return alarm([*same, exceeds], watch.alarms, watch.of)


def summed(known: list[Window], last: int) -> dict[str, Any]:
    """The newest windows for people and programs."""
    return {"windows": [window.model_dump(mode="json") for window in known[-last:]]}
