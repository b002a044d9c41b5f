"""Size and speed of a built release; a time is measured again before it refuses anything."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import process_time
from typing import Any, TypeVar

from tasks.registry.gate import Check
from tasks.registry.recipes import Budgets

CALLS = 20
SERIES = 5
T = TypeVar("T")


def size_check(what: str, folders: Iterable[Path], budgets: Budgets) -> list[Check]:
    """All files in these folders together, in megabytes; no check where the recipe has no such budget."""
    bound = budgets.size_mb
    if bound is None:
        return []
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files) / 1e6
    text = f"The {what} has {size:.2f} MB; the recipe allows {bound:g} MB."
    return [Check(name="size", number=size, bound=f"<= {bound:g} MB", ok=size <= bound, text=text)]


def latency_check(what: str, call: Callable[[T], Any], items: Sequence[T], budgets: Budgets) -> list[Check]:
    """CPU milliseconds of one call, tried again where it is over the budget; no check where there is none."""
    bound = budgets.latency_ms
    if bound is None:
        return []
    took = cpu_ms(call, items)
    if took > bound:
        took = min(took, cpu_ms(call, items))
    text = f"One {what} takes {took:.3g} ms of CPU; the recipe allows {bound:g} ms."
    return [Check(name="latency", number=took, bound=f"<= {bound:g} ms", ok=took <= bound, text=text, measured=True)]


def cpu_ms(call: Callable[[T], Any], items: Sequence[T]) -> float:
    """CPU milliseconds of one call: the mean of a series over the items in turn, the least of several series."""
    return min(_series(call, items) for _ in range(SERIES))


def _series(call: Callable[[T], Any], items: Sequence[T]) -> float:
    start = process_time()
    for number in range(CALLS):
        call(items[number % len(items)])
    return (process_time() - start) * 1000 / CALLS
