"""What a person reads: tables, decisions, progress lines; and JSON for programs."""

import json
import logging
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from tasks.planning import Line
from tasks.registry.gate import Decision
from tasks.registry.records import VersionRecord
from tasks.registry.road import Outcome
from tasks.statistics import Interval

out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)  # texts from outside stay as written


def emit(value: Any) -> None:
    """JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def listen() -> None:
    """Show the progress lines of flows and steps (loggers below `penstock`)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("penstock")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def moment(iso: str) -> str:
    """A moment of the records, to the minute and in local time."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M")


def show(title: str, columns: Sequence[str | Column], rows: Iterable[Sequence[object]]) -> None:
    heads = [Column(one, overflow="fold") if isinstance(one, str) else one for one in columns]
    table = Table(*heads, title=title, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(table)


def show_plan(release: str, lines: list[Line]) -> None:
    """Steps without the prefix that all of them have, in one line each."""
    rows = [(line.step.removeprefix("tasks."), line.state, line.why) for line in lines]
    show(f"plan of {release}", (Column("step", no_wrap=True), "state", "why"), rows)
    if all(line.state == "cached" for line in lines):
        out.print("nothing would run: sources, code and artifacts are as the last run left them")


def show_decision(decision: Decision) -> None:
    """Every check with its number and bound; the sentences of those that failed, and of the comparison."""
    rows = [
        (
            "ok" if reason.ok else "NO",
            reason.name,
            "" if reason.number is None else f"{reason.number:.4g}",
            reason.bound,
        )
        for reason in decision.reasons
    ]
    show(f"decision: {decision.verdict}", ("", "check", "number", "bound"), rows)
    for reason in [decision.reasons[0], *(other for other in decision.failed if other != decision.reasons[0])]:
        out.print(f"  {reason.text}")


def show_metrics(title: str, metrics: dict[str, Interval]) -> None:
    """Metrics with their 95 % intervals."""
    rows = [(name, f"{one.value:.4f}", f"{one.low:.4f} to {one.high:.4f}") for name, one in metrics.items()]
    show(title, ("metric", "value", "95 % interval"), rows)


def show_outcome(outcome: Outcome, record: VersionRecord | None) -> None:
    """A training's end: metrics, reasons, and one sentence."""
    if record is not None:
        show_metrics(f"{outcome.release} version {record.version}, measured on {record.snapshot}", record.metrics)
    if outcome.decision is not None:
        show_decision(outcome.decision)
    out.print(outcome.text)


def markdown(outcome: Outcome) -> str:
    """The decision as the Prefect UI shows it."""
    lines = [f"# {outcome.release}: {outcome.state}", "", outcome.text, ""]
    if outcome.decision is not None:
        lines += [f"Verdict: **{outcome.decision.verdict}**", ""]
        lines += ["| | check | number | bound | why |", "|---|---|---|---|---|"]
        for reason in outcome.decision.reasons:
            number = "" if reason.number is None else f"{reason.number:.4g}"
            cells = ("ok" if reason.ok else "**no**", reason.name, number, reason.bound, reason.text)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
