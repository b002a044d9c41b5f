"""The windows of a watched release: one record each, in order, never changed; the latest ones make an alarm."""

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
    """What the labels known so far say of a window: the metric with its interval, beside what was promised at
    promotion; `feedback` is how many pieces of feedback the log held then."""

    model_config = ConfigDict(frozen=True)

    metric: str
    rows: int
    value: Interval
    promised: Interval | None = None
    kept: bool = True
    slices: tuple[Slice, ...] = ()
    feedback: int = 0


class Window(BaseModel):
    """The rows of some parts of the prediction log that one champion answered, compared with its reference.

    `since` and `until` are the earliest and latest time of the rows (s since the epoch), as their clocks had it;
    `others` were answered by other versions; `faults` counts rows by the rule of the contract that they break, which
    is no drift. The first window of documents and assistants has no verdict: it is the reference of the next ones.
    `estimate` is what `metric` should be by the scores alone."""

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
    verdict: Verdict | None = None
    alarm: bool = False
    faulty: int = 0
    faults: dict[str, int] = Field(default_factory=dict)
    rates: dict[str, float] = Field(default_factory=dict)
    metric: str
    estimate: Interval | None = None
    notes: tuple[str, ...] = ()
    made: float

    @property
    def exceeds(self) -> bool:
        return self.verdict is not None and self.verdict.exceeds


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
    same = [window.exceeds for window in known if window.champion == champion]
    return alarm([*same, exceeds], watch.alarms, watch.of)


def qualities(store: Store, release: str) -> dict[int, Quality]:
    """What is known of the quality of windows, by their number; it grows as labels arrive."""
    names = store.list(f"watch/{release}/quality")
    return {int(name[-11:-5]): Quality.model_validate_json(store.read(name)) for name in names}


def keep_quality(store: Store, window: Window, quality: Quality) -> None:
    name = f"watch/{window.release}/quality/{window.number:06}.json"
    store.write(name, canonical(quality.model_dump(mode="json")))


def missed(known: list[Window], measured: dict[int, Quality]) -> float | None:
    """By how much the estimates of windows missed what labels said of them later, on average."""
    gaps = [
        abs(window.estimate.value - measured[window.number].value.value)
        for window in known
        if window.estimate is not None and window.number in measured
    ]
    return sum(gaps) / len(gaps) if gaps else None
