"""The harness itself: best over interleaved rounds, goals in both directions, CPU of a tree, load on a real server."""

import json
import sys
from pathlib import Path
from typing import Self

import pytest
from rich.console import Console

from tests.benchmarks import harness
from tests.benchmarks.harness import Benchmark, Goal, Measure
from tests.benchmarks.serving import Served
from tests.prefect_server import free_port

APP = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    status = 200 if scope["path"] in ("/ready", "/predict") else 404
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""


class Told:
    """A contender whose numbers are written down; keeps the order of the turns."""

    def __init__(self, name: str, numbers: list[float], turns: list[str]) -> None:
        self.name, self.numbers, self.turns = name, iter(numbers), turns

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.turns.append(f"{self.name} ended")

    def measure(self) -> dict[str, float]:
        self.turns.append(self.name)
        number = next(self.numbers)
        return {"wall": number, "rate": 1 / number}


def report(goals: list[Goal], turns: list[str]) -> harness.Report:
    measures = [Measure("wall", "s"), Measure("rate", "1/s", "more")]
    subjects = [Told("ours", [3, 1, 2], turns), Told("peer", [2, 5, 4], turns)]
    return harness.compare(Benchmark("told", measures, subjects, goals, rounds=3), lambda _: None)


def test_turns_interleave_and_the_best_round_counts() -> None:
    turns: list[str] = []
    found = report([Goal("wall", "peer", 1.0), Goal("rate", "peer", 3.0)], turns)
    assert turns == ["ours", "peer", "peer", "ours", "ours", "peer", "peer ended", "ours ended"]
    assert [(row.what, row.ratio, row.holds) for row in found.rows] == [("wall", 0.5, True), ("rate", 2.0, False)]
    assert [row.what for row in found.short] == ["rate"]


def test_the_table_and_the_file_say_the_same(tmp_path: Path) -> None:
    found = report([Goal("wall", "peer", 0.4)], [])
    console = Console(width=120, record=True, file=(tmp_path / "out").open("w"))
    harness.show(found, console)
    console.file.close()
    assert "falls short" in console.export_text()
    kept = json.loads(harness.keep(found, tmp_path / "benchmarks").read_text())
    assert kept["rows"][0]["ratio"] == 0.5 and kept["rounds"]["peer"][1]["wall"] == 5


def test_the_cpu_of_a_command_counts_its_children(tmp_path: Path) -> None:
    burn = "sum(range(20_000_000))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    idle = harness.run([sys.executable, "-c", "pass"], tmp_path, tmp_path / "log")
    busy = harness.run([sys.executable, "-c", parent], tmp_path, tmp_path / "log")
    assert busy["CPU"] > idle["CPU"] + 0.1


def test_a_failed_command_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no water"):
        harness.run([sys.executable, "-c", "raise SystemExit('no water')"], tmp_path, tmp_path / "log")


def served(folder: Path, path: str) -> Served:
    (folder / "small.py").write_text(APP)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "small:app", "--port", str(port), "--log-level", "error"]
    return Served("small", command, port, path, "{}", ready="/ready", folder=folder, seconds=0.5)


def test_a_server_is_loaded_and_ended(tmp_path: Path) -> None:
    with served(tmp_path, "/predict") as subject:
        found = subject.measure()
        process = subject.process
    assert process.poll() is not None
    assert 0 < found["CPU per request"] < 50 and found["p50, 1 client"] <= found["p99, 1 client"]
    assert found["requests/s, 32 clients"] > 10


def test_an_answer_with_an_error_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="with an error"), served(tmp_path, "/nowhere"):
        pass
