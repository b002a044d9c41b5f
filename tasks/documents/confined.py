"""A child of the sandbox: limits on itself, then one file after another.

The limits keep a broken or greedy file from harming the run, and take from a child what no reader needs: to start
processes, to gain rights, keys in its environment. They are no jail: code that took a child over could still read
what this user may read, and use the network. Where strangers upload, run the flow as a user, or in a container,
that holds no secrets."""

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

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
FILES = 64  # open at once


def serve(pipe: Connection, others: list[Connection], job: Job, folder: Path, limits: Limits, parent: int) -> None:
    """Read orders until the pipe ends. What the libraries print goes to a log, of which the last line may be told."""
    for other in others:  # inherited: nobody speaks for another child
        other.close()
    die_with(parent)
    bound(limits)
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
        if answer["memory"] or answer["fault"]:
            return


def attempt(job: Job, order: dict[str, Any], folder: Path, limits: Limits) -> dict[str, Any]:
    """Any other error than these ends the child, with its traceback in the log.

    `fault`: not the file but this machine is to blame: a full disk, too many open files, a library that is gone."""
    problem, memory, fault = None, False, False
    try:
        body = job(Path(order["path"]), order["told"])
        if len(body) > limits.result:
            raise BadInput(f"what was read of it is larger than {limits.result >> 20} MB")
        (folder / str(order["number"])).write_bytes(body)
    except BadInput as error:
        problem = str(error)
    except MemoryError:
        problem, memory = f"it needs more than {limits.memory >> 20} MB of memory", True
    except (OSError, ImportError) as error:
        problem, fault = f"{type(error).__name__}: {error}", True
    return {"problem": problem, "memory": memory, "fault": fault}


def bound(limits: Limits) -> None:
    """Lower what this process may take; never above what it is allowed already."""
    most = {
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_FSIZE: limits.result,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, value in most.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def allow(seconds: float) -> None:
    """So much processor time from now on; the kernel ends the process with SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def die_with(parent: int) -> None:
    """Ask the kernel to end this process when its parent ends (Linux); elsewhere the processor limit ends it."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def log_of(folder: Path, process: int) -> Path:
    return folder / f"{process}.log"
