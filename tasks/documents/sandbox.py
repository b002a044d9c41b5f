"""Forks children with limits, gives them files, and ends those that take too long; started by `pool`.

    python -m tasks.documents.sandbox FOLDER

FOLDER holds order.json; each result goes there too, and a line of JSON about it to stdout. Messages between the
processes are JSON: what a hostile file made of a child cannot reach its parent as code. What it does not keep off
stands in `confined`."""

import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from tasks.documents.confined import log_of, serve
from tasks.documents.pool import Job, Limits, Work

TICK = 0.5  # seconds between two looks whether the parent lives
LARGEST = 1 << 16  # bytes of a child's message


@dataclass
class Child:
    """A process that reads one file after another."""

    process: ForkProcess
    pipe: Connection
    number: int = 0
    files: int = 0
    seconds: float = 0.0
    wall: float = 0.0
    ends: float = 0.0


@dataclass
class Verdict:
    """What became of a file. `passing`: another time it might be read; `again`: try it once more, alone.

    `fault`: this machine is to blame, not the file."""

    number: int
    problem: str | None = None
    passing: bool = False
    again: bool = False
    fault: bool = False


class Sandbox:
    """The files of one order and the children that read them."""

    def __init__(self, folder: Path, order: dict[str, Any]) -> None:
        self.folder = folder
        self.parent = int(order["parent"])
        self.limits = Limits.model_validate(order["limits"])
        self.works = [Work.model_validate(work) for work in order["works"]]
        module, name = order["job"]
        self.job: Job = getattr(importlib.import_module(module), name)
        self.children: list[Child] = []

    def run(self, workers: int) -> None:
        """All files; those that ended their child once more, alone in a child of their own."""
        again = []
        for verdict in self._read(deque(range(len(self.works))), workers):
            if verdict.again:
                again.append(verdict.number)
            else:
                tell(verdict)
        for number in again:
            self.end()
            for verdict in self._read(deque([number]), 1):
                tell(verdict)

    def orphaned(self) -> bool:
        return os.getppid() != self.parent

    def end(self) -> None:
        for child in self.children:
            child.process.kill()
            child.process.join()
        self.children.clear()

    def _read(self, waiting: deque[int], workers: int) -> Iterator[Verdict]:
        idle: list[Child] = []
        busy: list[Child] = []
        while waiting or busy:
            while waiting and len(busy) < workers:
                child = idle.pop() if idle else self._fork()
                self._give(child, waiting.popleft())
                busy.append(child)
            for child, verdict in self._look(busy):
                busy.remove(child)
                if verdict.again or child.files >= self.limits.files or not child.process.is_alive():
                    child.process.kill()
                    child.process.join()
                    self.children.remove(child)
                else:
                    idle.append(child)
                yield verdict

    def _fork(self) -> Child:
        here, there = multiprocessing.Pipe()
        others = [here, *(child.pipe for child in self.children)]
        told = (there, others, self.job, self.folder, self.limits, os.getpid())
        process = multiprocessing.get_context("fork").Process(target=serve, args=told)
        process.start()
        there.close()
        self.children.append(Child(process, here))
        return self.children[-1]

    def _give(self, child: Child, number: int) -> None:
        work, limits = self.works[number], self.limits
        child.number, child.files = number, child.files + 1
        child.seconds = limits.seconds + limits.seconds_per_mb * work.size / 2**20 + work.more
        child.wall = min(child.seconds * limits.wall, limits.longest)
        child.ends = time.monotonic() + child.wall
        order = {"number": number, "path": str(work.path), "told": work.told, "seconds": child.seconds}
        with suppress(OSError):  # a child that died while it was idle: the next look sees it
            child.pipe.send_bytes(json.dumps(order).encode())

    def _look(self, busy: list[Child]) -> list[tuple[Child, Verdict]]:
        """The children that are done, in whatever way; waits for a moment at most."""
        watched = [thing for child in busy for thing in (child.pipe, child.process.sentinel)]
        ready = wait(watched, timeout=TICK)
        if self.orphaned():
            raise SystemExit(1)
        now, done = time.monotonic(), []
        for child in busy:
            if child.pipe in ready or child.process.sentinel in ready:
                done.append((child, self._heard(child)))
            elif now >= child.ends:
                child.process.kill()
                problem = f"it was not read within {child.wall:.0f} seconds"
                done.append((child, Verdict(child.number, problem, passing=True, again=True)))
        return done

    def _heard(self, child: Child) -> Verdict:
        """What a child answered; a dead one answers nothing, an overtaken one anything."""
        try:
            message = child.pipe.recv_bytes(LARGEST) if child.pipe.poll() else b""
        except (EOFError, OSError):
            message = b""
        if not message:
            child.process.kill()
            child.process.join()
            return self._died(child)
        try:
            answer = json.loads(message)
            problem, fault = answer["problem"], bool(answer["fault"])
            again = fault or bool(answer["memory"])
        except (ValueError, TypeError, KeyError):
            return Verdict(child.number, "it made its reader answer nonsense", again=True)
        if problem is None and not (self.folder / str(child.number)).is_file():
            problem = "its reader gave no result"
        return Verdict(child.number, problem if problem is None else str(problem), again=again, fault=fault)

    def _died(self, child: Child) -> Verdict:
        code = child.process.exitcode or 0
        if code == -signal.SIGXCPU:
            return Verdict(child.number, f"it needs more than {child.seconds:.0f} seconds of processor time")
        if code == 1:
            return Verdict(child.number, f"its reader failed: {self._last_line(child)}", passing=True, again=True)
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return Verdict(child.number, f"it ended its reader ({how})", passing=code == -signal.SIGKILL, again=True)

    def _last_line(self, child: Child) -> str:
        path = log_of(self.folder, child.process.pid or 0)
        lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
        return lines[-1][:300] if lines else "without a word"


def tell(verdict: Verdict) -> None:
    told = {name: getattr(verdict, name) for name in ("number", "problem", "passing", "fault")}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main() -> None:
    folder = Path(sys.argv[1])
    order = json.loads((folder / "order.json").read_bytes())
    sys.modules["pymupdf.layout"] = None  # type: ignore[assignment]  # half a second for a model that nothing here asks
    for module in order["preload"]:
        importlib.import_module(module)
    sandbox = Sandbox(folder, order)
    try:
        sandbox.run(order["workers"])
    finally:
        sandbox.end()  # or the interpreter would wait for them for ever
        if sandbox.orphaned():
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
