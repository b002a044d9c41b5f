"""What is forgotten, out of the prediction log and the traces of releases; then both are looked through again."""

from collections.abc import Iterator, Sequence

from tasks.artifacts import Store
from tasks.processes import locked
from tasks.registry.aliases import Registry
from tasks.settings import Settings
from tasks.watching import forgetting as log
from tasks.watching.compaction import compact
from tasks.watching.forgetting import Told
from tasks.watching.shipping import ship_left


def clear(store: Store, releases: Sequence[str], told: Told, settings: Settings) -> list[tuple[str, int]]:
    """Lines that tell of it, with all lines of the same requests, and the traces of these. What waits to become a part
    does so first. The traces go before the lines, which are the way to find them."""
    lines, traces = 0, 0
    with Registry(settings.mlflow_url) as registry:
        for release in releases:
            with locked(settings.root / "locks" / f"log-{release}"):
                ship_left(store, settings.root, release)
                compact(store, release)
                found = log.find(store, release, told)
                traces += log.drop_traces(registry, *log.traces(registry, release, found, told))
                lines += log.remove(store, release, found, told)
    return [("lines of the prediction log, and of the same requests", lines), ("traces of answers", traces)]


def left(store: Store, releases: Sequence[str], told: Told, settings: Settings) -> Iterator[str]:
    """Where it is still told of."""
    with Registry(settings.mlflow_url) as registry:
        for release in releases:
            for where, number in log.left(store, settings.root, release, told):
                yield f"{number} lines in {where}"
            nothing = log.find(store, release, lambda _: False)
            if chosen := log.traces(registry, release, nothing, told)[1]:
                yield f"{len(chosen)} traces of {release} in MLflow at {settings.mlflow_url}"
