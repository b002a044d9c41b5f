"""The harness itself, on small commands: it must see what survives a kill and what does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.harness import Command, gone, orphans, survives

SAFE = """
import os, sys, time
for step in range(4):
    time.sleep(0.1)
    open(f"{step}.new", "w").write(str(step)); os.replace(f"{step}.new", f"{step}.txt")
"""
CARELESS = SAFE + "\nopen('runs', 'a').write('x')\n"


def place(root: Path, attempt: int) -> Path:
    folder = root / str(attempt)
    folder.mkdir(exist_ok=True)
    return folder


def command(root: Path, code: str, attempt: int) -> Command:
    return Command([sys.executable, "-c", code], place(root, attempt), dict(os.environ), root / f"{attempt}.log")


def state(root: Path, attempt: int) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(place(root, attempt).glob("*")) if path.suffix != ".new"}


def test_an_idempotent_command_survives(tmp_path: Path) -> None:
    struck = survives(lambda n: command(tmp_path, SAFE, n), lambda n: state(tmp_path, n), kills=4, seed=1)
    assert {kill.victim for kill in struck} == {"parent", "group"}


def test_a_command_that_adds_at_each_run_does_not(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended elsewhere"):
        survives(lambda n: command(tmp_path, CARELESS, n), lambda n: state(tmp_path, n), kills=2, seed=1)


def test_a_failing_command_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no such ground"):
        command(tmp_path, "raise SystemExit('no such ground')", 0).finish(20)


def test_orphans_are_seen_by_their_folder(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=tmp_path) as child:
        try:
            assert [line.split()[0] for line in orphans(tmp_path)] == [str(child.pid)]
            assert orphans(tmp_path, spared=[child.pid]) == []
        finally:
            child.kill()
    assert gone(tmp_path) == []
