"""A million rows a side: our verdict and page against Evidently's stock preset, each in a child of its own; and the
verdict on samples against the one on all rows."""

import json
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.watching.counting import counted
from tasks.watching.drift import Verdict, verdict
from tests.benchmarks.harness import Benchmark, Bound, Goal, Measure, run

ROOT = Path(__file__).parents[2]
ROWS = 1_000_000
MEASURES = (
    Measure("verdict and report", "s"),
    Measure("CPU of it", "s"),
    Measure("peak memory", "MB"),
    Measure("whole command", "s"),
)
JOINT_ROWS = 100_000  # of the full verdict: ten times what the sampled one sees
CASES = [
    *[("none", 0.0)] * 6,
    *[("shift", 0.02)] * 4,
    *[("shift", 0.2)] * 4,
    *[("levels", 0.2)] * 2,
    *[("nulls", 0.05)] * 2,
    *[("permuted", 0.0)] * 2,
]


def made(rows: int, seed: int, drift: str = "none", by: float = 0.0) -> pa.Table:
    """Nine correlated numbers of three shapes, and three columns of levels."""
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(0).normal(size=(9, 9))
    numbers = random.normal(size=(rows, 9)) @ (mix / np.linalg.norm(mix, axis=0))
    column = seed % 9
    if drift == "shift":
        numbers[:, column] += by
    if drift == "permuted":
        numbers[:, column] = random.permutation(numbers[:, column])
    numbers[:, 3:6], numbers[:, 6:] = np.exp(numbers[:, 3:6]), numbers[:, 6:].round(1)
    if drift == "nulls":
        numbers[random.random(rows) < by, column] = np.nan
    names = pa.array(list("abcdefgh"))
    held = {f"number{place}": values for place, values in enumerate(numbers.T)}
    for place, count in enumerate((2, 4, 8)):
        shares = np.ones(count) + (np.eye(count)[0] * by * count if drift == "levels" else 0)
        held[f"levels{place}"] = names.take(pa.array(random.choice(count, rows, p=shares / shares.sum())))
    return pa.table(held)


def case(number: int) -> bool:
    """Whether the verdict on samples is the one on all rows: the window, the columns, and the columns together."""
    drift, by = CASES[number]
    reference, window = made(ROWS, 100), made(ROWS, 200 + number, drift, by)
    sampled = verdict(reference, window)
    full = verdict(counted(reference, ROWS), counted(window, ROWS), joint_rows=JOINT_ROWS)
    return said(sampled) == said(full) and full.exceeds == (by >= 0.05 or drift == "permuted")


def said(one: Verdict) -> tuple[bool, tuple[str, ...], bool]:
    return one.exceeds, one.drifted, one.joint is not None and one.joint.exceeds


class Child:
    def __init__(self, name: str, command: str, folder: Path, equal: float | None = None) -> None:
        self.name, self.command, self.folder, self.equal = name, command, folder, equal

    def __enter__(self) -> Self:
        for seed, side in enumerate(("reference", "window")):
            path = self.folder / f"{side}.parquet"
            if not path.exists():
                pq.write_table(made(ROWS, seed, "shift", 0.1 * seed), path)
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        command = [sys.executable, "-m", "tests.benchmarks.drift_large", self.command, str(self.folder)]
        whole = run(command, ROOT, self.folder / f"{self.command}.log")
        told: dict[str, float] = json.loads((self.folder / f"{self.command}.json").read_bytes())
        return told | {"whole command": whole["wall"]} | ({} if self.equal is None else {"equal verdicts": self.equal})


def penstock(folder: Path, reference: pa.Table, window: pa.Table) -> None:
    from tasks.watching.drift_report import drift

    sides = counted(reference), counted(window)
    now = datetime.now(UTC)
    drift(*sides, verdict(*sides), folder / "ours.html", folder / "workspace", "large", "window 1", now)


def stock(folder: Path, reference: pa.Table, window: pa.Table) -> None:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    names = reference.column_names
    definition = DataDefinition(numerical_columns=names[:9], categorical_columns=names[9:])
    sides = [Dataset.from_pandas(side.to_pandas(), data_definition=definition) for side in (window, reference)]
    Report([DataDriftPreset()]).run(*sides).save_html(str(folder / "stock.html"))


def child(command: str, folder: Path) -> None:
    """Time the work alone: both have imported Evidently and read the tables before."""
    os.environ["DO_NOT_TRACK"] = "1"
    import evidently.presets
    import evidently.ui.workspace  # noqa: F401

    sides = [pq.read_table(folder / f"{side}.parquet") for side in ("reference", "window")]
    started, used = time.perf_counter(), time.process_time()
    {"ours": penstock, "stock": stock}[command](folder, *sides)
    told = {
        "verdict and report": time.perf_counter() - started,
        "CPU of it": time.process_time() - used,
        "peak memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    (folder / f"{command}.json").write_text(json.dumps(told))


def benchmark(folder: Path) -> Benchmark:
    with ProcessPoolExecutor(2) as pool:
        equal = sum(pool.map(case, range(len(CASES))))
    subjects = [Child("penstock", "ours", folder, equal), Child("Evidently", "stock", folder)]
    every = Bound("cases", {"equal verdicts": len(CASES)})
    goals = [Goal("verdict and report", "Evidently", 0.1), Goal("peak memory", "Evidently", 1.0)]
    measures = [*MEASURES, Measure("equal verdicts", "", "more")]
    facts = {"rows a side": ROWS, "classifier of the full verdict, rows a side": JOINT_ROWS}
    return Benchmark(
        "drift-large", measures, [*subjects, every], [*goals, Goal("equal verdicts", "cases", 1)], 1, facts
    )


if __name__ == "__main__":
    child(sys.argv[1], Path(sys.argv[2]))
