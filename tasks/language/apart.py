"""Long work with torch in a process of its own: it ends with its parent, is weighed, and leaves nothing but
the log of a failure behind.

The parent passes an order as JSON and reads what the child tells while it works; results come back as JSON, too."""

import importlib
import json
import logging
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from tasks import errors
from tasks.artifacts import current, opened
from tasks.errors import PenstockError, Unavailable

logger = logging.getLogger("penstock.language")

Tell = Callable[[dict[str, Any]], None]
O = TypeVar("O", bound=BaseModel)  # noqa: E741
R = TypeVar("R", bound=BaseModel)

QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "DO_NOT_TRACK": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
SMALL = 8 << 20  # weights: a smaller model gains nothing from a second thread
MEMORY = (
    "{} needs more memory than there is ({}). Set a smaller batch (with more `accumulate`), `checkpointing: true`, a "
    "smaller `max_tokens` or a smaller base in the recipe."
)


_gpus: ContextVar[int] = ContextVar("gpus", default=1)


@contextmanager
def on_gpus(count: int) -> Iterator[None]:
    """Let work that several processes can share be started on so many GPUs of this machine."""
    token = _gpus.set(count)
    try:
        yield
    finally:
        _gpus.reset(token)


class Cost(BaseModel):
    """What the work took: seconds by the clock, of all cores, and the most memory in megabytes."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    cpu_seconds: float
    peak_mb: float
    device: str = "cpu"


def apart(
    work: Callable[[O, Tell], R],
    order: O,
    returns: type[R],
    threads: int = 1,
    told: Tell | None = None,
    shared: bool = False,
) -> tuple[R, Cost]:
    """Run `work`, a function of a module, on the open store in a child; where it is `shared`, on as many GPUs as
    `on_gpus` says. Errors of ours come back as they were raised; Unavailable where the child ended in another way."""
    with tempfile.TemporaryDirectory(prefix="penstock-apart-") as name:
        folder = Path(name)
        given = {
            "work": [work.__module__, work.__qualname__],
            "order": order.model_dump(mode="json"),
            "store": current().address,
            "threads": threads,
        }
        (folder / "order.json").write_text(json.dumps(given))
        child = _start(folder, threads, _gpus.get() if shared else 1)
        try:
            assert child.stdout is not None
            for line in child.stdout:
                if told is not None:
                    told(json.loads(line))
            code = child.wait()
        finally:
            child.kill()
            child.communicate()
        return _result(folder, code, work.__qualname__, returns)


def _start(folder: Path, threads: int, gpus: int) -> subprocess.Popen[bytes]:
    """Its standard input stays open as long as this process lives: that is how it learns of our end."""
    path = os.pathsep.join(path for path in sys.path if path)
    env = os.environ | QUIET | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
    env.pop("RANK", None)  # that of another launcher
    several = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", str(gpus), "-m"] if gpus > 1 else []
    command = [sys.executable, "-P", "-m", *several, "tasks.language.apart", str(folder)]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)


def _result(folder: Path, code: int, what: str, returns: type[R]) -> tuple[R, Cost]:
    path = folder / "result.json"
    if not path.is_file():
        lines = (folder / "log").read_text(errors="replace").strip().splitlines()
        last = lines[-1][:300] if lines else f"code {code}"
        if code == -9:  # the kernel's answer to a machine out of memory; nobody else sends it
            raise Unavailable(MEMORY.format(what, "it was killed"))
        raise Unavailable(
            f"{what} ended early: {last.removesuffix('.')}. All that it said is in {_saved(folder, what)}."
        )
    told = json.loads(path.read_bytes())
    if "error" in told:
        raise getattr(errors, told["error"])(told["message"])
    return returns.model_validate(told["result"]), Cost.model_validate(told["cost"])


def _saved(folder: Path, what: str) -> Path:
    """A copy of the log that stays."""
    descriptor, name = tempfile.mkstemp(prefix=f"penstock-{what}-", suffix=".log")
    os.close(descriptor)
    return Path(shutil.copyfile(folder / "log", name))


def _outlive_nobody(folder: Path) -> None:
    """End with the parent, however it ended: then its end of the pipe is closed, and nobody removes the folder.

    Not by way of `sys.stdin`: a thread that waits in it makes Python abort when it ends."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main() -> None:
    folder = Path(sys.argv[1])
    given = json.loads((folder / "order.json").read_bytes())
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print goes to the log
    threading.Thread(target=_outlive_nobody, args=(folder,), daemon=True).start()
    started = time.monotonic()
    module, name = given["work"]
    function = getattr(importlib.import_module(module), name)
    order = next(kind for kind in function.__annotations__.values() if kind is not None)

    def tell(fact: dict[str, Any]) -> None:
        if first():
            answers.write(json.dumps(fact) + "\n")

    try:
        with opened(given["store"]):
            result = function(order.model_validate(given["order"]), tell)
        body = {"result": result.model_dump(mode="json"), "cost": cost(started).model_dump()}
    except PenstockError as error:
        kind = next(one.__name__ for one in type(error).__mro__ if hasattr(errors, one.__name__))
        body = {"error": kind, "message": str(error)}
    except MemoryError as error:
        body = {"error": "Unavailable", "message": MEMORY.format(name, error)}
    if not first():
        return
    with suppress(FileNotFoundError):  # the parent has given up, and its folder is gone
        (folder / "new.json").write_text(json.dumps(body))
        (folder / "new.json").replace(folder / "result.json")


def first() -> bool:
    """Whether this is the only process of the work, or the first of those that share it."""
    return os.environ.get("RANK", "0") == "0"


def cost(started: float) -> Cost:
    used = resource.getrusage(resource.RUSAGE_SELF)
    torch = sys.modules.get("torch")
    device = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_initialized() else "cpu"
    return Cost(
        seconds=round(time.monotonic() - started, 2),
        cpu_seconds=round(used.ru_utime + used.ru_stime, 2),
        peak_mb=round(peak_mb(), 1),
        device=device,
    )


def peak_mb() -> float:
    """By /proc, where it says so: getrusage also counts what the parent held when it started us."""
    with suppress(FileNotFoundError):
        if found := re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()):
            return int(found[1]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def cores(weights: int) -> int:
    """Threads for a model with so many bytes of weights."""
    return 1 if weights < SMALL else os.cpu_count() or 1


if __name__ == "__main__":
    main()
