"""Base against tuned, as lines that a person reads."""

from collections.abc import Iterator

from tasks.language.evaluation import Evaluation


def table(before: Evaluation, after: Evaluation) -> Iterator[str]:
    """A line for each metric, with 95 % intervals, and what asking took."""
    yield f"{'':14}{'base':>28}{'tuned':>28}"
    for name, tuned in after.metrics.items():
        base = before.metrics.get(name)
        yield f"{name:14}{str(base) if base else '-':>28}{tuned!s:>28}"
