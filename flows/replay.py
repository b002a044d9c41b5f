"""The run that does nothing: the last receipt still stands. Kept lean, since it is the most frequent run."""

from typing import Any

import typer

from flows.orders import Order, planned, prepare
from tasks.artifacts import opened
from tasks.registry import ledger
from tasks.registry.history import champion, unsettled
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
        now = champion(entries)
    tell(order.release, receipt.outcome, now)
    return True


def tell(release: str, outcome: dict[str, Any], now: int | None) -> None:
    typer.echo(f"{release}: nothing to do; sources, code and artifacts are as the last run left them.")
    verdict = f" (the gate: {outcome['verdict']})" if outcome.get("verdict") else ""
    typer.echo(f"It ended with version {outcome['version']} {outcome['state']}{verdict}.")
    typer.echo(f"Champion: {f'version {now}' if now else 'none yet'}.")
