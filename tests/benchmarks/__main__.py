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

NAMES = ("rerun", "tabular")


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
            benchmark = importlib.import_module(f"tests.benchmarks.{options.name}").benchmark(
                Path(folder), options.rounds
            )
            report = harness.compare(benchmark, lambda line: console.print(line, style="dim", highlight=False))
    except (PenstockError, RuntimeError) as error:
        console.print(str(error), style="red", highlight=False)
        return 1
    harness.show(report, console)
    console.print(f"written to {harness.keep(report, root / 'benchmarks')}", highlight=False, soft_wrap=True)
    return 1 if options.check and report.short else 0


if __name__ == "__main__":
    sys.exit(main())
