"""A child of the sandbox: limits on itself, then one file after another."""

import ctypes
import json
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tasks.documents.pool import Job, Limits
from tasks.errors import BadInput

PR_SET_PDEATHSIG = 1


def serve(pipe: Connection, job: Job, folder: Path, limits: Limits, parent: int) -> None:
    """Read orders until the pipe ends. What the libraries print goes to a log, of which the last line may be told."""
    die_with(parent)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.result, limits.result))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    log = os.open(log_of(folder, os.getpid()), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    while True:
        try:
            order = json.loads(pipe.recv_bytes())
        except EOFError:
            return
        os.ftruncate(log, 0)
        allow(order["seconds"])
        answer = attempt(job, order, folder, limits)
        pipe.send_bytes(json.dumps(answer).encode())
        if answer["memory"]:
            return


def attempt(job: Job, order: dict[str, Any], folder: Path, limits: Limits) -> dict[str, Any]:
    """Any other error than these ends the child, with its traceback in the log."""
    try:
        body = job(Path(order["path"]), order["told"])
        (folder / str(order["number"])).write_bytes(body)
    except BadInput as error:
        return {"problem": str(error), "memory": False}
    except MemoryError:
        return {"problem": f"it needs more than {limits.memory >> 20} MB of memory", "memory": True}
    return {"problem": None, "memory": False}


def allow(seconds: float) -> None:
    """So much processor time from now on; the kernel ends the process with SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def die_with(parent: int) -> None:
    """Ask the kernel to end this process when its parent ends (Linux); elsewhere the processor limit ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def log_of(folder: Path, process: int) -> Path:
    return folder / f"{process}.log"
