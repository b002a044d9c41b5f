"""Ours against peers, interleaved in one run, so that the machine's noise meets them all.

A number is the best over the rounds: what disturbs a measurement only ever makes it worse.
"""

import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol, Self

import psutil
from rich.console import Console
from rich.table import Table


class Subject(Protocol):
    """One contender. Entering prepares it (starts, warms up), leaving ends whatever it started."""

    name: str

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        """One round: a number for each measure that it can give."""
        ...


@dataclass(frozen=True)
class Measure:
    """What is measured; a peer that does not give it has no row of it."""

    name: str
    unit: str
    better: Literal["less", "more"] = "less"

    def best(self, values: Sequence[float]) -> float:
        return min(values) if self.better == "less" else max(values)


class Bound:
    """A contender whose numbers are there already: a limit that ours is held to, or what was found before."""

    def __init__(self, name: str, numbers: dict[str, float]) -> None:
        self.name, self.numbers = name, numbers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        return self.numbers


@dataclass(frozen=True)
class Goal:
    """Ours divided by the peer's, at most `ratio` (at least, where more is better)."""

    measure: str
    peer: str
    ratio: float


@dataclass(frozen=True)
class Benchmark:
    """`subjects` begins with ours."""

    name: str
    measures: Sequence[Measure]
    subjects: Sequence[Subject]
    goals: Sequence[Goal]
    rounds: int = 5
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    what: str
    unit: str
    ours: float
    peer_name: str
    peer: float
    ratio: float
    goal: float | None
    holds: bool | None


@dataclass(frozen=True)
class Report:
    name: str
    rows: list[Row]
    rounds: dict[str, list[dict[str, float]]]
    facts: dict[str, object]

    @property
    def short(self) -> list[Row]:
        return [row for row in self.rows if row.holds is False]


def compare(benchmark: Benchmark, tell: Callable[[str], None] = print) -> Report:
    """Prepare all contenders, then let each have its turn in every round; the first to go changes."""
    rounds: dict[str, list[dict[str, float]]] = {subject.name: [] for subject in benchmark.subjects}
    with ExitStack() as stack:
        for subject in benchmark.subjects:
            tell(f"preparing {subject.name}")
            stack.enter_context(subject)
        for number in range(benchmark.rounds):
            tell(f"round {number + 1} of {benchmark.rounds}")
            start = number % len(benchmark.subjects)
            for subject in [*benchmark.subjects[start:], *benchmark.subjects[:start]]:
                rounds[subject.name].append(subject.measure())
    return Report(benchmark.name, rows(benchmark, rounds), rounds, facts() | dict(benchmark.facts))


def rows(benchmark: Benchmark, rounds: Mapping[str, list[dict[str, float]]]) -> list[Row]:
    ours, *peers = (subject.name for subject in benchmark.subjects)
    goals = {(goal.measure, goal.peer): goal.ratio for goal in benchmark.goals}
    found = []
    for measure in benchmark.measures:
        for peer in (name for name in peers if measure.name in rounds[name][0]):
            mine, other = (measure.best([round[measure.name] for round in rounds[name]]) for name in (ours, peer))
            ratio = mine / other if other else math.inf if mine else 1.0
            goal = goals.get((measure.name, peer))
            holds = None if goal is None else ratio <= goal if measure.better == "less" else ratio >= goal
            found.append(Row(measure.name, measure.unit, mine, peer, other, ratio, goal, holds))
    return found


def facts() -> dict[str, object]:
    """What the numbers depend on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }


def show(report: Report, console: Console) -> None:
    """The table `what | ours | peer | ratio | goal | holds or falls short`."""
    table = Table(
        title=f"{report.name} (best of {len(next(iter(report.rounds.values())))} rounds)", title_justify="left"
    )
    for column in ("what", "ours", "peer", "ratio", "goal", ""):
        table.add_column(column, justify="left" if column in ("what", "") else "right", no_wrap=True)
    for row in report.rows:
        verdict = {None: "", True: "holds", False: "falls short"}[row.holds]
        goal = "" if row.goal is None else f"{row.goal:.3g}x"
        table.add_row(
            f"{row.what}, {row.unit}".removesuffix(", "),
            f"{row.ours:.4g}",
            f"{row.peer_name} {row.peer:.4g}",
            f"{row.ratio:.2f}x",
            goal,
            verdict,
        )
    console.print(table)
    told = "; ".join(f"{name} {value}" for name, value in report.facts.items())
    console.print(told, style="dim", highlight=False)


def keep(report: Report, folder: Path) -> Path:
    """Write the report as JSON, a file per run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps(asdict(report) | {"schema_version": 1}, indent=2))
    return path


# measuring


def run(command: Sequence[str | Path], cwd: Path, log: Path) -> dict[str, float]:
    """Wall time, and CPU time of a command and of all children that it waited for, in seconds."""
    with log.open("ab") as output:
        started = time.perf_counter()
        child = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        told = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{told}")
    return {"wall": wall, "CPU": usage.ru_utime + usage.ru_stime}


def tree_cpu(pid: int) -> float:
    """CPU seconds so far of a process and of everything below it, the children already gone included."""
    total = 0.0
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # what it used is now in its parent's children_* times
        total += times.user + times.system + times.children_user + times.children_system
    return total
