"""The run that does nothing: the last receipt still stands. Kept lean, since it is the most frequent run."""

from collections.abc import Sequence

import typer

from flows.orders import Order, planned, prepare
from tasks.artifacts import opened
from tasks.planning import Receipt
from tasks.registry import ledger
from tasks.registry.history import champion, standing, unsettled
from tasks.registry.ledger import Entry
from tasks.settings import Settings


def stands(order: Order, settings: Settings) -> bool:
    """Say what is in force where nothing would run; False where something would."""
    with opened(settings.store) as store:
        receipt, lines = planned(prepare(order, settings))
        if receipt is None or order.refresh or any(line.state != "cached" for line in lines):
            return False
        entries = ledger.entries(store, order.release)
        if unsettled(store, entries):
            return False
    tell(order.release, receipt, entries)
    return True


def tell(release: str, receipt: Receipt, entries: Sequence[Entry]) -> None:
    """What the last run made, and what has become of it since."""
    version, verdict, now = receipt.outcome["version"], receipt.outcome["verdict"], champion(entries)
    assert isinstance(version, int)  # a training ends with a version
    typer.echo(f"{release}: nothing to do; sources, code and artifacts are as the last run left them.")
    said = f" (the gate: {verdict})" if verdict else ""
    typer.echo(f"It ended with version {version}{said}, which is now {standing(entries, version)}.")
    typer.echo(f"Champion: {f'version {now}' if now else 'none yet'}.")
