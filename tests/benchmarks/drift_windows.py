"""Windows with and without drift from real tables, and what each contender says of them; run in several processes."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from tasks.errors import NotFound
from tasks.watching.drift import alarm, verdict

TABLES = Path(os.environ.get("PENSTOCK_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data") / "tables"
LEVELS = ("SEX", "EDUCATION", "MARRIAGE")  # of the credit table: numbers that are names


@dataclass(frozen=True)
class Run:
    """Consecutive windows of one reference: rows drawn without replacement, no row in two of them."""

    table: str
    reference: int
    window: int
    windows: int
    seed: int
    drift: str = "none"


@dataclass(frozen=True)
class Answers:
    """For each window of a run, whether the contender calls it drift."""

    run: Run
    exceeds: tuple[bool, ...]

    @property
    def alarms(self) -> list[bool]:
        return [alarm(self.exceeds[: last + 1]) for last in range(len(self.exceeds))]


@cache
def read(name: str) -> pa.Table:
    wine = pa.csv.ParseOptions(delimiter=";" if name.startswith("wine") else ",")
    path = TABLES / f"{name}.csv"
    if not path.exists():
        raise NotFound(f"There is no {path}: set PENSTOCK_TEST_DATA to a folder with tables/.")
    table = pa.csv.read_csv(path, parse_options=wine)
    for column in LEVELS:
        if column in table.column_names:
            place = table.column_names.index(column)
            table = table.set_column(place, column, table[column].cast(pa.string()))
    return table.drop_columns("ID") if "ID" in table.column_names else table


def draw(run: Run) -> Iterator[pa.Table]:
    """The reference, then the windows."""
    table, random = read(run.table), np.random.default_rng([run.seed, run.window])
    order = random.permutation(table.num_rows)
    yield table.take(pa.array(order[: run.reference]))
    changed = random.permutation(table.num_columns)[:3] if run.drift != "permuted" else [run.seed % table.num_columns]
    for start in range(run.reference, run.reference + run.windows * run.window, run.window):
        window = table.take(pa.array(order[start : start + run.window]))
        for place in changed if run.drift != "none" else ():
            window = _changed(window, table, int(place), run.drift, random)
        yield window


def _changed(window: pa.Table, table: pa.Table, place: int, drift: str, random: np.random.Generator) -> pa.Table:
    name, values = table.column_names[place], window.column(place).to_numpy().astype(float)
    whole = table.column(place).to_numpy()
    step = np.diff(np.unique(whole)).min()
    if drift == "permuted":
        values = random.permutation(values)
    elif drift == "shift":
        values = values + 0.2 * whole.std()
    else:  # the column's own grid stays: rounded up or down by chance, so that the mean moves by 0.2 sd
        values = values + step * np.floor(0.2 * whole.std() / step + random.random(len(values)))
    return window.set_column(place, name, pa.array(values))


def ours(run: Run) -> Answers:
    reference, *windows = draw(run)
    return Answers(run, tuple(verdict(reference, window).exceeds for window in windows))


def evidently(run: Run) -> tuple[Answers, Answers]:
    """Stock tests and thresholds: any column, and its own verdict (half of the columns)."""
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import DriftedColumnsCount

    tables = list(draw(run))
    levels = [name for name in tables[0].column_names if pa.types.is_string(tables[0].schema.field(name).type)]
    numbers = [name for name in tables[0].column_names if name not in levels]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=levels)
    first, *rest = (Dataset.from_pandas(table.to_pandas(), data_definition=definition) for table in tables)
    values = [Report([DriftedColumnsCount()]).run(one, first).dict()["metrics"][0]["value"] for one in rest]
    any_, half = ([value["count"] > 0 for value in values], [value["share"] >= 0.5 for value in values])
    return Answers(run, tuple(any_)), Answers(run, tuple(half))


def answered(runs: Sequence[Run]) -> dict[str, list[Answers]]:
    """What each contender says of all runs."""
    with ProcessPoolExecutor(min(len(runs), os.cpu_count() or 1)) as pool:
        mine = list(pool.map(ours, runs))
        theirs = list(pool.map(evidently, runs))
    return {
        "penstock": mine,
        "Evidently, any": [one for one, _ in theirs],
        "Evidently, half": [one for _, one in theirs],
    }
