"""The built service under load: time to the first token, tokens a second, and memory, as a client sees them."""

import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import psutil
from pydantic import BaseModel, ConfigDict

from tasks.errors import Unavailable
from tasks.language.chats import Message
from tasks.language.specs import AssistantBudgets
from tasks.registry.gate import Check

PATIENCE = 180.0  # seconds until it is ready, and for an answer
ASKED = 8  # prompts of a series; none is asked twice
WRITTEN = 32  # tokens of an answer at most
LOOK_S = 0.1

Prompts = Sequence[tuple[Message, ...]]


class Speed(BaseModel):
    """Median milliseconds to the first token at one client; tokens a second; the most memory of all its processes."""

    model_config = ConfigDict(frozen=True)

    first_token_ms: float
    tokens_per_s: float
    tokens_per_s_8: float
    memory_mb: float


class Answer(BaseModel):
    """When the first token came and when the last, by the clock, and how many there were."""

    started: float
    first: float
    ended: float
    tokens: int


def measure(
    command: Sequence[str], env: dict[str, str], model: str, prompts: Prompts, patience: float = PATIENCE
) -> Speed:
    """Start the service, ask its `model` alone and then eight times at once, and end it. Unavailable: it does not get
    ready, or does not answer."""
    with served(command, env, patience) as (url, process), Memory(process.pid) as memory:
        alone, together = spread(prompts, 0), spread(prompts, 1)
        try:
            one = [ask(url, model, prompt) for prompt in alone]
            with ThreadPoolExecutor(ASKED) as pool:
                eight = list(pool.map(lambda prompt: ask(url, model, prompt), together))
        except httpx.HTTPError as error:
            raise Unavailable(f"The built service did not answer ({error}); look at what it says.") from None
    return Speed(
        first_token_ms=round(statistics.median((answer.first - answer.started) * 1000 for answer in one), 2),
        tokens_per_s=round(sum(answer.tokens for answer in one) / sum(one_.ended - one_.started for one_ in one), 1),
        tokens_per_s_8=round(
            sum(answer.tokens for answer in eight)
            / (max(answer.ended for answer in eight) - min(answer.started for answer in eight)),
            1,
        ),
        memory_mb=round(memory.most / 1e6, 1),
    )


def spread(prompts: Prompts, turn: int) -> Prompts:
    """A series of prompts; those of another turn are others, as far as there are enough."""
    return [prompts[(2 * place + turn) * len(prompts) // (2 * ASKED)] for place in range(ASKED)]


def ask(url: str, model: str, prompt: tuple[Message, ...]) -> Answer:
    """One streamed answer; `max_tokens` bounds it."""
    body = {
        "model": model,
        "messages": [message.model_dump() for message in prompt],
        "max_tokens": WRITTEN,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    started, first, tokens = time.perf_counter(), 0.0, 0
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=PATIENCE, trust_env=False) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            told = json.loads(line.removeprefix("data: "))
            if not first and told.get("choices") and told["choices"][0]["delta"].get("content"):
                first = time.perf_counter()
            tokens = (told.get("usage") or {}).get("completion_tokens", tokens)
    ended = time.perf_counter()
    return Answer(started=started, first=first or ended, ended=ended, tokens=tokens)


class Memory:
    """The most memory that a process and its children took, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self.pid, self.most, self._done = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(LOOK_S):
            with suppress(psutil.Error):
                root = psutil.Process(self.pid)
                self.most = max(self.most, sum(rss(one) for one in (root, *root.children(recursive=True))))


def rss(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        return float(process.memory_info().rss)
    return 0.0


@contextmanager
def served(
    command: Sequence[str], env: dict[str, str], patience: float
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The service on a free port, ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="penstock-measure-") as name, Path(name, "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=os.environ | env | {"PENSTOCK_DATA_ROOT": name},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            ready = partial(httpx.get, f"{url}/ready", timeout=2, trust_env=False)
            wait(lambda: ready().is_success, process, Path(name, "log"), patience)
            yield url, process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(PATIENCE)


def wait(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if ready():
                return
        time.sleep(0.2)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise Unavailable(f"The built service did not get ready: {lines[-1][:300] if lines else 'without a word'}.")


def checks(speed: Speed, budgets: AssistantBudgets) -> list[Check]:
    """What was measured beside the recipe's budgets, which need not be there."""
    told = (
        ("first_token_ms", "Half of the first tokens came within {:.0f} ms", False),
        ("tokens_per_s", "One client gets {:.1f} tokens a second", True),
        ("tokens_per_s_8", "Eight clients together get {:.1f} tokens a second", True),
        ("memory_mb", "The service took {:.0f} MB at most", False),
    )
    found = []
    for name, text, higher in told:
        number, bound = getattr(speed, name), getattr(budgets, name)
        ok = bound is None or (number >= bound if higher else number <= bound)
        limit = "none" if bound is None else f"{'>=' if higher else '<='} {bound:g}"
        asked = "" if bound is None else f"; the recipe asks for {limit}"
        text = f"{text.format(number)}{asked}."
        found.append(Check(name=name.replace("_", " "), number=number, bound=limit, ok=ok, text=text, measured=True))
    return found
