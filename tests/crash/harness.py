"""Kill a command at seeded random moments, run it again, and compare where it ends: for the flows of all kinds."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

Victim = Literal["parent", "group"]


@dataclass(frozen=True)
class Kill:
    """One kill: `after` seconds from the start; `hit` where the command still ran."""

    victim: Victim
    after: float
    hit: bool
    log: str


@dataclass(frozen=True)
class Command:
    """What is killed and run again; `env` is the whole environment."""

    line: Sequence[str | Path]
    cwd: Path
    env: Mapping[str, str]
    log: Path

    def start(self) -> subprocess.Popen[bytes]:
        """In a session of its own: the group is the command with all its children, and not the test."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.line,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finish(self, timeout: float) -> float:
        """Run it to its end; the seconds it took. AssertionError with its last words where it fails."""
        started = time.monotonic()
        process = self.start()
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            kill(process, "group")
            raise AssertionError(f"{self} did not end within {timeout} s:\n{self.last_words()}") from None
        assert code == 0, f"{self} ended with {code}:\n{self.last_words()}"
        return time.monotonic() - started

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def __str__(self) -> str:
        return " ".join(map(str, self.line))


def kill(process: subprocess.Popen[bytes], victim: Victim) -> bool:
    """`kill -9` of the process alone, or of it and its children; False where it had ended before."""
    hit = process.poll() is None
    if hit:
        with suppress(ProcessLookupError):
            (os.killpg if victim == "group" else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    return hit


def strike(command: Command, dice: random.Random, took: float, victim: Victim) -> Kill:
    """Start the command, and kill it somewhere in the middle of the `took` seconds that it needs undisturbed."""
    after = dice.uniform(0.1, 0.95) * took
    process = command.start()
    with suppress(subprocess.TimeoutExpired):
        process.wait(after)
    return Kill(victim, after, kill(process, victim), command.last_words())


def survives(
    command: Callable[[int], Command], state: Callable[[int], object], kills: int, seed: int, timeout: float = 600
) -> list[Kill]:
    """Attempt 0 runs undisturbed; each later one is killed, run again, and must end in the same state.

    `command(attempt)` and `state(attempt)` are of a place of the attempt's own, or of the same work under another name.
    A second run to the end must change nothing.
    """
    dice = random.Random(seed)
    took = command(0).finish(timeout)
    expected = state(0)
    struck = []
    for attempt in range(1, kills + 1):
        struck.append(strike(command(attempt), dice, took, "parent" if attempt % 2 else "group"))
        for run in ("again", "once more"):
            command(attempt).finish(timeout)
            assert state(attempt) == expected, f"run {run} after {struck[-1]} ended elsewhere"
    assert any(kill.hit for kill in struck), "no kill came in time: the command is too short for this test"
    return struck


def orphans(place: Path, spared: Sequence[int] = ()) -> list[str]:
    """Command lines of living processes that name `place` or work in it, other than this one and `spared`."""
    found = []
    ours = {os.getpid(), *spared, *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid in ours or process.status() == psutil.STATUS_ZOMBIE:
                continue
            line = " ".join(process.cmdline())
            if str(place) in line or Path(process.cwd()).is_relative_to(place):
                found.append(f"{process.pid} {line[:200]}")
    return found


def gone(place: Path, spared: Sequence[int] = (), patience: float = 10) -> list[str]:
    """The orphans that are still there after `patience` seconds: children may take a moment to notice."""
    deadline = time.monotonic() + patience
    while (left := orphans(place, spared)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left
