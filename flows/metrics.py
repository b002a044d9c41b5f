"""`penstock metrics`: what Prometheus asks of releases and runs, gathered when it asks."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import httpx
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flows import console, servers
from flows.release_series import RELEASES, release_series
from flows.run_series import RUNS, run_series
from flows.samples import Sample, Table, families
from tasks.errors import PenstockError
from tasks.settings import Settings

FRESH_S = 15.0  # what was gathered is shown again for so long: Prefect's SQLite server is asked little

logger = logging.getLogger("penstock.flows")


def serve(settings: Settings) -> None:
    """Answer at /metrics until Ctrl-C. Refused: the port is held."""
    servers.refuse_held(settings, "metrics", settings.metrics_port)
    registry = CollectorRegistry()
    registry.register(Gathered(settings))
    _, thread = start_http_server(settings.metrics_port, "127.0.0.1", registry)
    console.out.print(f"metrics on http://127.0.0.1:{settings.metrics_port}/metrics; Ctrl-C ends it")
    try:
        thread.join()
    except KeyboardInterrupt:
        console.out.print("ended")


class Gathered(Collector):
    """Series of releases from the store, and of runs from Prefect; where one is out of reach, the other is shown."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._until = 0.0
        self._found: list[Metric] = []

    def describe(self) -> Iterable[Metric]:
        """Nothing: it would gather all when it is registered."""
        return []

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if time.monotonic() > self._until:
                self._found = self._gathered()
                self._until = time.monotonic() + FRESH_S
            return self._found

    def _gathered(self) -> list[Metric]:
        up = GaugeMetricFamily("penstock_up", "1 where a part could be asked", labels=["part"])
        found: list[Metric] = [up]
        parts: dict[str, tuple[Table, Callable[[Settings], Iterator[Sample]]]] = {
            "store": (RELEASES, release_series),
            "prefect": (RUNS, run_series),
        }
        for part, (table, samples) in parts.items():
            try:
                found += families(table, samples(self.settings))
                up.add_metric([part], 1)
            except (PenstockError, httpx.HTTPError, OSError) as error:
                logger.warning("no metrics of the part %s: %s", part, error)
                up.add_metric([part], 0)
        return found
