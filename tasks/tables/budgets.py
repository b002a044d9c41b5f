"""Size and speed of a built release; a time is measured again before it refuses anything."""

from pathlib import Path
from time import process_time

from tasks.registry.gate import Check
from tasks.registry.recipes import Budgets
from tasks.tables.predictor import Predictor
from tasks.tables.requests import Row

CALLS = 30
SERIES = 5


def size_check(folder: Path, budget: float) -> Check:
    """All files of the release together, in megabytes."""
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    return Check(
        name="size",
        number=size,
        bound=f"<= {budget:g} MB",
        ok=size <= budget,
        text=f"The release has {size:.2f} MB; the recipe allows {budget:g} MB.",
    )


def latency_check(predictor: Predictor, rows: list[Row], budget: float) -> Check:
    """CPU time of one prediction in milliseconds: the quickest series, tried again where it is over the budget."""
    took = cpu_ms(predictor, rows)
    if took > budget:
        took = min(took, cpu_ms(predictor, rows))
    return Check(
        name="latency",
        number=took,
        bound=f"<= {budget:g} ms",
        ok=took <= budget,
        text=f"One prediction takes {took:.3f} ms of CPU; the recipe allows {budget:g} ms.",
        measured=True,
    )


def cpu_ms(predictor: Predictor, rows: list[Row]) -> float:
    """CPU milliseconds of one single-row prediction: the mean of a series, the least of several series."""
    return min(_series(predictor, rows) for _ in range(SERIES))


def _series(predictor: Predictor, rows: list[Row]) -> float:
    start = process_time()
    for call in range(CALLS):
        predictor.predict([rows[call % len(rows)]])
    return (process_time() - start) * 1000 / CALLS


def check_budgets(folder: Path, predictor: Predictor, rows: list[Row], budgets: Budgets) -> list[Check]:
    """One check per budget that the recipe names."""
    size = [size_check(folder, budgets.size_mb)] if budgets.size_mb is not None else []
    latency = [latency_check(predictor, rows, budgets.latency_ms)] if budgets.latency_ms is not None else []
    return size + latency
