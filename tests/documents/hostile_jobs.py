"""Jobs for the sandbox that do what hostile files make a reader do."""

import ctypes
import errno
import importlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tasks.errors import BadInput

held: list[bytes] = []


def misbehave(path: Path, told: dict[str, Any]) -> bytes:
    match told["what"]:
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(600)
        case "crash":
            ctypes.string_at(0)
        case "refuse":
            raise BadInput("it is no document")
        case "raise":
            raise KeyError("an error that nobody thought of")
        case "full disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case "torn install":
            importlib.import_module("nowhere")
        case "rights":
            return json.dumps(rights()).encode()
        case "hog":
            held.append(b"x" * (4 << 30))
        case "leave":
            os._exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "first time":
            if not path.exists():
                path.write_text("now it does")
                os.kill(os.getpid(), signal.SIGKILL)
        case "large":
            return b"y" * (5 << 20)
        case "lie":
            os.write(_sockets()[0], b"\0\0\0\5hello")
            time.sleep(600)
        case "print":
            sys.stdout.write("noise on stdout\n" * 1000)
        case "secrets":
            return repr(sorted(os.environ)).encode()
    return f"{told['what']} {os.getpid()}".encode()


def rights() -> dict[str, object]:
    """What the kernel says of this process."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kinds = {
        "files": resource.RLIMIT_NOFILE,
        "processes": resource.RLIMIT_NPROC,
        "core": resource.RLIMIT_CORE,
        "written": resource.RLIMIT_FSIZE,
    }
    limits = {name: resource.getrlimit(kind)[0] for name, kind in kinds.items()}
    return {"NoNewPrivs": status["NoNewPrivs"], **limits, "sockets": len(_sockets())}


def _sockets() -> list[int]:
    return [int(link.name) for link in Path("/proc/self/fd").iterdir() if _socket(link)]


def _socket(link: Path) -> bool:
    try:
        return str(link.readlink()).startswith("socket:")
    except OSError:
        return False
