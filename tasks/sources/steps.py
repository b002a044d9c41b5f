"""The room's Prefect tasks: what touches the outside is tried again, what is deterministic is cached."""

from typing import Any

from prefect import task
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from tasks.caching import cached
from tasks.errors import Unavailable
from tasks.sources import fetch as fetching
from tasks.sources import reading, snapshots


def unavailable(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Only a network or server that cannot be reached is worth another try: a wrong file stays wrong."""
    return isinstance(state.result(raise_on_failure=False), Unavailable)


outside = task(
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    retry_jitter_factor=0.5,
    retry_condition_fn=unavailable,
)

fetch = outside(fetching.fetch)
read = cached(reading.read)
snapshot = task(name="snapshot")(snapshots.take)
