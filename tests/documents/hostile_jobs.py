"""Jobs for the sandbox that do what hostile files make a reader do."""

import ctypes
import os
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
            pipe = max(int(link.name) for link in Path("/proc/self/fd").iterdir() if _socket(link))
            os.write(pipe, b"\0\0\0\5hello")
            time.sleep(600)
        case "print":
            sys.stdout.write("noise on stdout\n" * 1000)
        case "secrets":
            return repr(sorted(os.environ)).encode()
    return f"{told['what']} {os.getpid()}".encode()


def _socket(link: Path) -> bool:
    try:
        return str(link.readlink()).startswith("socket:")
    except OSError:
        return False
