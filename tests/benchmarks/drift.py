"""Drift: false alarms and detection on windows of real tables beside Evidently's defaults; a million rows in children.

`--rounds N` is the number of runs of each kind: no measurement here is a matter of luck that repeating would mend.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks import drift_large
from tests.benchmarks.drift_windows import Answers, Run, answered
from tests.benchmarks.harness import Benchmark, Bound, Goal, Measure

WHITE, CREDIT = "winequality-white", "default_of_credit_card_clients"
QUIET = ((WHITE, 1500, 500), (WHITE, 1200, 900), (CREDIT, 3000, 500), (CREDIT, 3000, 1500), (CREDIT, 10_000, 3000))
WINDOWS = 4  # of a run without drift
DRIFTED = 3
KINDS = {
    "shift": "+0.2 sd in 3 of 12 columns",
    "grid": "the same on the grid of the columns' values",
    "permuted": "one of 12 columns permuted, each in turn",
}


def quiet_runs(count: int) -> list[Run]:
    return [Run(*setting, WINDOWS, seed) for setting in QUIET for seed in range(count)]


def drifted_runs(count: int) -> list[Run]:
    return [Run(WHITE, 2000, 900, DRIFTED, seed, kind) for kind in KINDS for seed in range(count)]


def rates(answers: Sequence[Answers]) -> dict[str, float]:
    """Percent of the windows, of the windows' alarms, and of the runs with an alarm at any of their windows."""
    windows = [said for one in answers for said in one.exceeds]
    alarms = [said for one in answers for said in one.alarms]
    runs = [any(one.alarms) for one in answers]
    return {
        name: 100 * sum(said) / len(said)
        for name, said in (("windows", windows), ("alarms by window", alarms), ("runs with alarm", runs))
    }


def false_alarms(count: int) -> Benchmark:
    found = answered(quiet_runs(count))
    measures = [Measure(name, "%") for name in ("windows", "alarms by window", "runs with alarm")]
    limit = Bound("limit", {"runs with alarm": 2.0})
    subjects = [*(Bound(name, rates(answers)) for name, answers in found.items()), limit]
    told = {f"{table} {reference}/{window}": count * WINDOWS for table, reference, window in QUIET}
    facts = {
        "windows": len(quiet_runs(count)) * WINDOWS,
        "Evidently": "any column, or half of the columns",
        "windows of each (rows of reference/window)": told,
    }
    return Benchmark("drift-false-alarms", measures, subjects, [Goal("runs with alarm", "limit", 1)], 1, facts)


def detection(count: int) -> Benchmark:
    found = answered(drifted_runs(count))
    numbers = {name: by_kind(answers) for name, answers in found.items()}
    measures = [Measure(name, "%", "more") for name in numbers["penstock"]]
    goals = [Goal(name, "goal", 1) for name in numbers["penstock"] if "alarm" in name]
    bound = Bound("goal", {goal.measure: 95.0 for goal in goals})
    facts = KINDS | {"runs of each": str(count), "windows": f"{DRIFTED} of 900 rows, reference 2000, {WHITE}"}
    return Benchmark("drift-detection", measures, [*(Bound(*one) for one in numbers.items()), bound], goals, 1, facts)


def by_kind(answers: Sequence[Answers]) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind in KINDS:
        told = rates([one for one in answers if one.run.drift == kind])
        found |= {f"{kind}: windows": told["windows"], f"{kind}: alarms": told["runs with alarm"]}
    return found


def benchmark(folder: Path, rounds: int | None) -> Iterator[Benchmark]:
    yield false_alarms(rounds or 10)
    yield detection(rounds or 36)
    yield drift_large.benchmark(folder)
