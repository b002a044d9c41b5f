"""What a part of the exporter yields, and how it becomes Prometheus's metric families."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric

Sample = tuple[str, tuple[str, ...], float]  # name, values of the labels, value
Table = dict[str, tuple[str, tuple[str, ...]]]  # by name: what it is, names of the labels


def families(table: Table, samples: Iterable[Sample]) -> list[Metric]:
    """One gauge for each name of the table, with its samples."""
    found = {name: GaugeMetricFamily(name, what, labels=labels) for name, (what, labels) in table.items()}
    for name, labels, value in samples:
        found[name].add_metric(labels, value)
    return list(found.values())
