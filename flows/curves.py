"""Losses in MLflow while a model learns: what is not sent then is sent when the version is registered."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from flows.receipts import say
from tasks.errors import Unavailable
from tasks.language.showing import heard_by
from tasks.registry import versions
from tasks.settings import Settings

EVERY = 5.0  # seconds between two calls


@contextmanager
def watched(release: str, training: str, settings: Settings) -> Iterator[None]:
    """Send what a training measures; a server that is out of reach stops nothing."""
    waiting: list[dict[str, float]] = []
    said = time.monotonic()

    def heard(step: int, metrics: dict[str, float]) -> None:
        nonlocal said
        waiting.append({"step": step} | {name: metrics[name] for name in ("loss", "eval_loss") if name in metrics})
        if time.monotonic() - said > EVERY:
            send()
            said = time.monotonic()

    def send() -> None:
        try:
            versions.watch(settings.mlflow_url, release, training, waiting)
            waiting.clear()
        except Unavailable as error:
            say(f"losses wait: {error}")

    with heard_by(heard):
        yield
