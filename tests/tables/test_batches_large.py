"""Batch scoring of a large file in a process of its own: memory does not grow with it, and it may be killed."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.artifacts import Store
from tests.tables.batch_rows import as_csv
from tests.tables.conftest import houses, train

ROWS = 300_000
NOTE = "a column that nobody asked for, kept as it stands " * 8
CHILD = """
import sys
from pathlib import Path
from tasks.tables import batches
from tasks.tables.predictor import Predictor
from tests.tables.batch_rows import opened
folder, source, to = map(Path, sys.argv[1:])
predictor = Predictor.load(folder)
done = batches.score(predictor, 1, opened(source, predictor), to)
print(done.rows)
"""


def child(*paths: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, *map(str, paths)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(Path.cwd())}
    )


def peak(release: Path, source: Path, to: Path, rows: int) -> float:
    """Megabytes that scoring held at most, looked at from outside: ru_maxrss would begin with the parent's."""
    process, held = child(release, source, to), 0
    looked = psutil.Process(process.pid)
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            held = max(held, looked.memory_info().rss)
        time.sleep(0.01)
    told, _ = process.communicate()
    assert (process.returncode, told) == (0, f"{rows}\n")
    return held / 1e6


@pytest.fixture
def release(store: Store) -> Path:
    return store.path(train(houses(2000, "binary"), "binary").release)


def noted(rows: int) -> pa.Table:
    table = houses(rows, "binary", seed=9)
    return table.append_column("note", pa.array([f"{NOTE}{number}" for number in range(rows)]))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(release: Path, tmp_path: Path, form: str) -> None:
    table, source, to = noted(ROWS), tmp_path / f"in.{form}", tmp_path / f"out.{form}"
    peaks = []
    for rows in (ROWS // 10, ROWS):
        if form == "csv":
            as_csv(table.slice(0, rows), source)
        else:
            pq.write_table(
                table.slice(0, rows), source, row_group_size=20_000, compression="none", use_dictionary=False
            )
        peaks.append(peak(release, source, to, rows))
    assert peaks[1] - peaks[0] < source.stat().st_size / 1e6 / 2


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_visible_and_the_next_one_all(release: Path, tmp_path: Path) -> None:
    as_csv(noted(ROWS // 3), tmp_path / "in.csv")
    whole = child(release, tmp_path / "in.csv", tmp_path / "whole.csv")
    whole.communicate()
    process, aside = child(release, tmp_path / "in.csv", tmp_path / "out.csv"), tmp_path / ".out.csv.part"
    while not (aside.exists() and aside.stat().st_size > 1 << 20):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert {path.name for path in tmp_path.glob("*.csv")} == {"in.csv", "whole.csv"}
    child(release, tmp_path / "in.csv", tmp_path / "out.csv").communicate()
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not aside.exists()
