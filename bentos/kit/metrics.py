"""The service's own Prometheus registry; routes are labelled by template, so that odd paths cannot fill it."""

import os

# Bento points this at one folder for all services of the user and empties it at each start: keep values in memory.
# prometheus_client looks at it once, when it is first imported.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

__all__ = ["CONTENT_TYPE", "Counter", "Gauge", "Histogram", "Metrics"]  # services take the types from here: see above

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What one service counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        labels = ("route", "method", "status")
        self._seconds = Histogram("penstock_request_seconds", "Requests", labels, buckets=BUCKETS, registry=registry)
        self._children: dict[tuple[str, str, int], Histogram] = {}
        self.in_flight = Gauge("penstock_requests_in_flight", "Requests being answered", registry=registry)
        self.rows = Counter("penstock_predictions", "Rows answered", ("version",), registry=registry)
        self.unseen = Counter("penstock_unseen_levels", "Levels that training never saw", registry=registry)
        self.swaps = Counter("penstock_swaps", "Versions swapped in while serving", registry=registry)
        self.refusals = Counter("penstock_refused_versions", "Versions refused by the self-test", registry=registry)
        self.shadow_dropped = Counter("penstock_shadow_dropped", "Records lost to a slow shadow", registry=registry)
        self.trial_failures = Gauge("penstock_trial_failures", "Requests that the trial failed on", registry=registry)
        self.log_lost = Counter("penstock_log_lost", "Records that could not be logged", registry=registry)
        self.feedback = Counter(
            "penstock_feedback", "Feedback, by what it says", ("said", "version"), registry=registry
        )
        self.unanswered = Counter("penstock_unanswered", "Questions without an answer", ("version",), registry=registry)
        self.citations = Counter("penstock_citations", "Passages cited by answers", ("version",), registry=registry)
        self.ready = Gauge("penstock_ready", "1 where requests can be answered", registry=registry)
        self.reasons = Gauge("penstock_ready_reasons", "What /ready says is wrong", registry=registry)
        self._release = Gauge("penstock_release_info", "What answers", ("release", "version"), registry=registry)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        key = (route, method if method in METHODS else "other", status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._seconds.labels(*key)
        child.observe(seconds)

    def serving(self, release: str, version: str) -> None:
        self._release.clear()
        self._release.labels(release, version).set(1)

    def render(self) -> bytes:
        return generate_latest(self.registry)
