"""The series of releases: champion, drift, quality, replicas; read from the artifact store."""

import json
import logging
import math
from collections.abc import Iterator

from pydantic import BaseModel

from flows.alerting import kept
from flows.samples import Sample, Table
from tasks.artifacts import Store, store_at
from tasks.registry import history, ledger
from tasks.registry.recipes import release_names
from tasks.settings import Settings
from tasks.statistics import Interval
from tasks.watching.replicas import replicas

RELEASES: Table = {
    "penstock_champion_version": ("Version that is champion by the ledger", ("release",)),
    "penstock_pending_versions": ("Versions that wait for an approval", ("release",)),
    "penstock_alerts_waiting": ("Alerts that no receiver, or not each, has taken", ()),
    "penstock_replica_heartbeat_timestamp_seconds": ("Last heartbeat", ("release", "replica", "version")),
    "penstock_window_number": ("Number of the last window of served rows", ("release",)),
    "penstock_window_rows": ("Rows of the last window", ("release",)),
    "penstock_window_end_timestamp_seconds": ("Newest row of the last window", ("release",)),
    "penstock_drift_exceeds": ("1 where the last window drifted", ("release",)),
    "penstock_drift_alarm": ("1 where so many of the last windows drifted that it is an alarm", ("release",)),
    "penstock_drift_columns": ("Columns of the last window that drifted", ("release",)),
    "penstock_drift_effect_ratio": (
        "Largest effect of a column over its floor: drift from 1 on",
        ("release", "column"),
    ),
    "penstock_quality": ("Quality on the labelled rows of the last window", ("release", "metric", "bound")),
    "penstock_quality_promised": ("Quality measured before the promotion", ("release", "metric", "bound")),
    "penstock_quality_estimate": ("Quality estimated without labels", ("release", "bound")),
}

logger = logging.getLogger("penstock.flows")


class ColumnTest(BaseModel):
    column: str
    effect: float
    floor: float


class Verdict(BaseModel):
    exceeds: bool = False
    drifted: list[str] = []
    tests: list[ColumnTest] = []


class Window(BaseModel):
    """What the watch flow records of a window, as far as it is shown."""

    number: int = 0
    rows: int = 0
    to: float = 0.0
    alarm: bool = False
    verdict: Verdict = Verdict()
    quality: dict[str, Interval] | None = None
    promised: dict[str, Interval] | None = None
    estimate: Interval | None = None


def release_series(settings: Settings) -> Iterator[Sample]:
    store = store_at(settings.store)
    yield "penstock_alerts_waiting", (), sum(not one.sent for one in kept(store))
    for release in release_names(settings.folders):
        entries = ledger.entries(store, release)
        champion = history.champion(entries)
        if champion is not None:
            yield "penstock_champion_version", (release,), champion
            yield "penstock_pending_versions", (release,), len(history.pending(entries))
        for beat in replicas(store, release, math.inf):
            yield "penstock_replica_heartbeat_timestamp_seconds", (release, beat.replica, beat.version), beat.time
        window = last_window(store, release)
        if window is not None:
            yield from window_series(release, window)


def last_window(store: Store, release: str) -> Window | None:
    """The newest window of a release; None where there is none, or where it cannot be read, which is told."""
    names = [name for name in store.list(f"watch/{release}/windows") if number_of(name)]
    if not names:
        return None
    newest = max(names, key=number_of)
    try:
        return Window.model_validate(json.loads(store.read(newest)))
    except ValueError as error:  # no JSON, or other fields
        logger.warning("the window %s cannot be read: %s", newest, error)
        return None


def number_of(name: str) -> int:
    """The number of a window; 0 for what is none."""
    stem = name.rpartition("/")[2].removesuffix(".json")
    return int(stem) if stem.isdecimal() else 0


def window_series(release: str, window: Window) -> Iterator[Sample]:
    yield "penstock_window_number", (release,), window.number
    yield "penstock_window_rows", (release,), window.rows
    yield "penstock_window_end_timestamp_seconds", (release,), window.to
    yield "penstock_drift_alarm", (release,), window.alarm
    yield "penstock_drift_exceeds", (release,), window.verdict.exceeds
    yield "penstock_drift_columns", (release,), len(window.verdict.drifted)
    tests = sorted((test for test in window.verdict.tests if test.floor > 0), key=lambda test: test.effect / test.floor)
    for column, ratio in {test.column: test.effect / test.floor for test in tests}.items():  # the largest stays
        yield "penstock_drift_effect_ratio", (release, column), ratio
    for name, metrics in (("quality", window.quality), ("quality_promised", window.promised)):
        for metric, one in (metrics or {}).items():
            for bound, value in bounds(one):
                yield f"penstock_{name}", (release, metric, bound), value
    if window.estimate is not None:
        for bound, value in bounds(window.estimate):
            yield "penstock_quality_estimate", (release, bound), value


def bounds(one: Interval) -> list[tuple[str, float]]:
    return [("low", one.low), ("value", one.value), ("high", one.high)]
