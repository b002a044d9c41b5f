"""The series of releases: champion, drift, quality, replicas; read from the artifact store."""

import logging
import math
from collections.abc import Iterator

from flows.alerting import kept
from flows.samples import Sample, Table
from tasks.artifacts import store_at
from tasks.registry import history, ledger
from tasks.registry.recipes import release_names
from tasks.settings import Settings
from tasks.statistics import Interval
from tasks.watching.replicas import replicas
from tasks.watching.windows import Quality, Window, qualities, windows

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
    "penstock_quality": (
        "Quality of the newest window that has labels",
        ("release", "metric", "bound"),
    ),
    "penstock_quality_promised": ("Quality measured before the promotion", ("release", "metric", "bound")),
    "penstock_quality_estimate": ("Quality estimated without labels", ("release", "bound")),
}

logger = logging.getLogger("penstock.flows")


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
        try:
            known, measured = windows(store, release), qualities(store, release)
        except ValueError as error:  # no JSON, or other fields
            logger.warning("the windows of %s cannot be read: %s", release, error)
            continue
        if known:
            yield from window_series(release, known[-1])
        if measured:
            yield from quality_series(release, measured[max(measured)])


def window_series(release: str, window: Window) -> Iterator[Sample]:
    yield "penstock_window_number", (release,), window.number
    yield "penstock_window_rows", (release,), window.rows
    yield "penstock_window_end_timestamp_seconds", (release,), window.until
    yield "penstock_drift_alarm", (release,), window.alarm
    yield "penstock_drift_exceeds", (release,), window.exceeds
    found = window.verdict
    yield "penstock_drift_columns", (release,), len(found.drifted) if found else 0
    tests = sorted(found.tests if found else (), key=lambda test: test.effect / test.floor)
    for column, ratio in {test.column: test.effect / test.floor for test in tests}.items():  # the largest stays
        yield "penstock_drift_effect_ratio", (release, column), ratio
    if window.estimate is not None:
        for bound, value in bounds(window.estimate):
            yield "penstock_quality_estimate", (release, bound), value


def quality_series(release: str, quality: Quality) -> Iterator[Sample]:
    for name, one in (("quality", quality.value), ("quality_promised", quality.promised)):
        for bound, value in bounds(one) if one else ():
            yield f"penstock_{name}", (release, quality.metric, bound), value


def bounds(one: Interval) -> list[tuple[str, float]]:
    return [("low", one.low), ("value", one.value), ("high", one.high)]
