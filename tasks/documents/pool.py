"""Files from outside are read in children with limits: a hostile one ends its child, and only its own result is lost.

The work is done by `sandbox`, a process of its own that forks the children: it imports nothing of the caller's main
module, can be started from any thread, and ends with its parent."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict

from tasks.errors import Unavailable

Job = Callable[[Path, dict[str, Any]], bytes]
SHOWN = 3
KEPT = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TESSDATA_PREFIX", "TMPDIR", "TZ")  # no key or password


class Limits(BaseModel):
    """What a file may take: processor time in seconds, `wall` times that by the clock but never more than `longest`,
    and bytes of address space; `result` bounds what is made of it."""

    model_config = ConfigDict(frozen=True)

    seconds: float = 60.0
    seconds_per_mb: float = 30.0
    wall: float = 6.0
    longest: float = 7200.0
    memory: int = 2 << 30
    result: int = 64 << 20
    files: int = 200  # after which a child is replaced, so that no leak grows for long


class Work(BaseModel):
    """A file, and what the job is told about it; `more` are seconds beyond what its size allows."""

    model_config = ConfigDict(frozen=True)

    path: Path
    size: int
    told: dict[str, Any] = {}
    more: float = 0.0


class Result(BaseModel):
    """What a job made of the file with this number, or why it made nothing; `passing`: another time it might."""

    model_config = ConfigDict(frozen=True)

    number: int
    body: bytes | None = None
    problem: str | None = None
    passing: bool = False


def run(
    job: Job, works: Sequence[Work], preload: Sequence[str] = (), workers: int = 2, limits: Limits | None = None
) -> Iterator[Result]:
    """A result for every file, in the order in which they are done. `job` is a function of a module, found by name.

    Raises Unavailable, after all others, where this machine is to blame that files were not read.
    """
    if not works:
        return
    with tempfile.TemporaryDirectory(prefix="penstock-pages-") as name:
        folder = Path(name)
        order = {
            "job": [job.__module__, job.__qualname__],
            "preload": preload,
            "workers": workers,
            "limits": (limits or Limits()).model_dump(),
            "parent": os.getpid(),
            "works": [work.model_dump(mode="json") for work in works],
        }
        (folder / "order.json").write_text(json.dumps(order))
        with (folder / "log").open("wb") as log:
            sandbox = _start(folder, log)
        try:
            assert sandbox.stdout is not None
            faults = []
            for line in sandbox.stdout:
                told = json.loads(line)
                if told.pop("fault"):
                    faults.append((works[told["number"]], told["problem"]))
                else:
                    yield _result(told, folder)
            if sandbox.wait() != 0:
                raise Unavailable(f"The reader of documents ended early: {_last_words(folder)}. Run again.")
            _refuse(faults)
        finally:
            sandbox.kill()
            sandbox.communicate()


def _start(folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-P", "-m", "tasks.documents.sandbox", str(folder)]
    return subprocess.Popen(line, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)


def _refuse(faults: list[tuple[Work, str]]) -> None:
    if faults:
        names = ", ".join(str(work.told.get("name") or work.path.name) for work, _ in faults[:SHOWN])
        more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise Unavailable(f"{names}{more} could not be read here ({faults[0][1]}): mend that, then run again.")


def _result(told: dict[str, Any], folder: Path) -> Result:
    if told["problem"] is not None:
        return Result.model_validate(told)
    path = folder / str(told["number"])
    body = path.read_bytes()
    path.unlink()
    return Result(number=told["number"], body=body)


def _last_words(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace").strip()[-400:] or "without a word"
