"""`just bench NAME [--check]`: run one benchmark, print its table, keep its JSON under the data root."""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tasks import settings
from tasks.errors import PenstockError
from tests.benchmarks import harness
from tests.benchmarks.harness import Benchmark, Report

NAMES = ("rerun", "tabular", "index", "ask", "lora", "creative", "drift", "log")


def main() -> int:
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal falls short")
    parser.add_argument("--rounds", type=int, help="how often each contender has its turn")
    options = parser.parse_args()
    console = Console()
    try:
        root = settings.load().root
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
            module = importlib.import_module(f"tests.benchmarks.{options.name}")
            made = module.benchmark(Path(folder), options.rounds)
            reports = [run(one, root, console) for one in ([made] if isinstance(made, Benchmark) else made)]
    except (PenstockError, RuntimeError) as error:
        console.print(str(error), style="red", highlight=False)
        return 1
    return 1 if options.check and any(report.short for report in reports) else 0


def run(benchmark: Benchmark, root: Path, console: Console) -> Report:
    """Measure, show and keep; a name with several benchmarks makes each when the one before is done."""
    report = harness.compare(benchmark, lambda line: console.print(line, style="dim", highlight=False))
    harness.show(report, console)
    console.print(f"written to {harness.keep(report, root / 'benchmarks')}", highlight=False, soft_wrap=True)
    return report


if __name__ == "__main__":
    sys.exit(main())
