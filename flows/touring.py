"""What the parts of the demo share: headings, trainings, and a service as a user would start it (a chat does, too)."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flows import console, running, servers
from flows.orders import Order
from flows.replay import stands
from tasks.language.measuring import served
from tasks.settings import Settings


def part(title: str) -> None:
    console.out.print(f"\n{title}", style="bold")


def train(order: Order, settings: Settings) -> None:
    if not stands(order, settings):
        running.train(order, settings)


@contextmanager
def service(name: str, settings: Settings) -> Iterator[str]:
    """`penstock serve` on a free port; ended afterwards."""
    command = [sys.executable, "-m", "flows.cli", "serve", name]
    log = servers.log_file(settings, f"serve-{name}")
    with served(command, os.environ, log, hint=f"`penstock serve {name}` shows why.") as (url, _):
        yield url
