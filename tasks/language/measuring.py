"""The service under load: time to the first token, tokens a second, and memory, as a client sees them.

`python -m tasks.language.measuring COMMAND...` keeps a service for a process: it ends when that one does."""

import hashlib
import json
import os
import secrets
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
from pydantic import BaseModel, ConfigDict

from tasks.errors import Unavailable
from tasks.language.chats import Message
from tasks.language.specs import AssistantBudgets
from tasks.registry.gate import Check

PATIENCE = 180.0  # seconds until it is ready, and for an answer
GRACE = 20.0  # seconds for what it does last
ASKED = 8  # prompts of a series; with twice as many at hand none is asked twice
WRITTEN = 32  # tokens of an answer at most
LOOK_S = 0.1
SETTLED = {  # whatever this machine's other services are told
    "PENSTOCK_ENGINE": "transformers",
    "PENSTOCK_MODELS": "champion",
    "PENSTOCK_MAX_TOKENS": "1024",
    "PENSTOCK_MAX_WAITING": "32",
    "PENSTOCK_MAX_CONCURRENCY": "64",
    "PENSTOCK_MAX_QUEUE": "256",
    "PENSTOCK_MAX_BODY_BYTES": str(4 << 20),
    "PENSTOCK_REQUEST_TIMEOUT": str(PATIENCE),
    "PENSTOCK_GENERATION_TIMEOUT": str(PATIENCE),
    "PENSTOCK_LOG_TEXT": "false",
    "PENSTOCK_TRACE_SHARE": "0",
}
TOLD = (  # of a speed: what is said of a number, and whether the higher one is better
    ("first_token_ms", "Half of the first tokens came within {:.0f} ms", False),
    ("tokens_per_s", "One client gets {:.1f} tokens a second", True),
    ("tokens_per_s_8", "Eight clients together get {:.1f} tokens a second", True),
    ("memory_mb", "The service took {:.0f} MB at most", False),
)

Prompts = Sequence[tuple[Message, ...]]


class Speed(BaseModel):
    """Median milliseconds to the first token at one client; tokens a second; the most memory of all its processes."""

    model_config = ConfigDict(frozen=True)

    first_token_ms: float
    tokens_per_s: float
    tokens_per_s_8: float
    memory_mb: float

    def better(self, other: "Speed") -> "Speed":
        """The better number of each."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name, _, _ in TOLD}
        return Speed(**{name: max(pairs[name]) if higher else min(pairs[name]) for name, _, higher in TOLD})


class Answer(BaseModel):
    """When the first token came and when the last, by the clock, and how many there were."""

    started: float
    first: float
    ended: float
    tokens: int


def measure(
    command: Sequence[str], env: Mapping[str, str], model: str, prompts: Prompts, patience: float = PATIENCE
) -> Speed:
    """Start the service, ask its `model` alone and then eight times at once, and end it. Unavailable: it does not get
    ready, or does not answer."""
    key = secrets.token_urlsafe()
    with (
        tempfile.TemporaryDirectory(prefix="penstock-measure-") as name,
        served(command, {**surroundings(key, Path(name)), **env}, Path(name, "log"), patience) as (url, process),
        Memory(process.pid) as memory,
        httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=PATIENCE, trust_env=False) as client,
    ):
        alone, together = spread(prompts, 0), spread(prompts, 1)
        try:
            one = [ask(client, model, prompt) for prompt in alone]
            with ThreadPoolExecutor(ASKED) as pool:
                eight = list(pool.map(lambda prompt: ask(client, model, prompt), together))
        except httpx.HTTPError as error:
            raise Unavailable(f"The service did not answer ({error}); look at what it says.") from None
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


def surroundings(key: str, root: Path) -> dict[str, str]:
    """The environment, but with a data root and a key of its own, and nothing that other services are told."""
    known = {"name": "measuring", "sha256": hashlib.sha256(key.encode()).hexdigest(), "scopes": ["ask"]}
    own = SETTLED | {"PENSTOCK_API_KEYS": json.dumps([known]), "PENSTOCK_DATA_ROOT": str(root)}
    return os.environ | own


def spread(prompts: Prompts, turn: int) -> Prompts:
    """A series of prompts; those of another turn are others, as far as there are enough."""
    return [prompts[(2 * place + turn) * len(prompts) // (2 * ASKED)] for place in range(ASKED)]


def ask(client: httpx.Client, model: str, prompt: tuple[Message, ...]) -> Answer:
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
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
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
    """The most memory that the children of a process took, looked at ten times a second."""

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
                self.most = max(self.most, sum(map(rss, psutil.Process(self.pid).children(recursive=True))))


def rss(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        return float(process.memory_info().rss)
    return 0.0


@contextmanager
def served(
    command: Sequence[str], env: Mapping[str, str], log: Path, patience: float = PATIENCE, hint: str = ""
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A service on a free port, and its keeper: it ends with the block, and with this process however that ends.

    Unavailable: it does not get ready; the message ends with the hint."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    keeper = [sys.executable, "-P", "-m", "tasks.language.measuring", *command, "--port", str(port)]
    path = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with log.open("ab") as told:
        process = subprocess.Popen(
            keeper, env={**env, **path}, stdin=subprocess.PIPE, stdout=told, stderr=told, start_new_session=True
        )
    try:
        wait(url, process, log, patience, hint)
        yield url, process
    finally:
        process.communicate()  # closes its standard input


def wait(url: str, process: "subprocess.Popen[bytes]", log: Path, patience: float = PATIENCE, hint: str = "") -> None:
    """Until the service at the URL is ready."""
    deadline = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/ready", timeout=2, trust_env=False).is_success:
                return
        time.sleep(0.2)
    lines = log.read_text(errors="replace").strip().splitlines()
    last = lines[-1][:300].removesuffix(".") if lines else "without a word"
    raise Unavailable(f"The service did not get ready: {last}. {hint}".rstrip())


def keep(command: Sequence[str]) -> None:
    """Run a service as long as somebody holds our standard input open."""
    service = psutil.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    while service.poll() is None and not select.select([0], [], [], LOOK_S)[0]:
        pass
    end(service)


def end(service: psutil.Popen, grace: float = GRACE) -> None:
    """End a service and all its processes, also those with sessions of their own."""
    family: list[psutil.Process] = [service]
    with suppress(psutil.Error):
        family += service.children(recursive=True)
    with suppress(ProcessLookupError):
        os.killpg(service.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while any(map(lives, family)) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    for one in family:
        with suppress(psutil.Error):
            one.kill()


def lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def checked(measured: Callable[[], Speed], budgets: AssistantBudgets) -> list[Check]:
    """The checks of what is measured; where one fails it is measured once more, and the better numbers count."""
    speed = measured()
    found = checks(speed, budgets)
    return found if all(check.ok for check in found) else checks(speed.better(measured()), budgets)


def checks(speed: Speed, budgets: AssistantBudgets) -> list[Check]:
    """What was measured beside the recipe's budgets, which need not be there."""
    found = []
    for name, text, higher in TOLD:
        number, bound = getattr(speed, name), getattr(budgets, name)
        ok = bound is None or (number >= bound if higher else number <= bound)
        limit = "none" if bound is None else f"{'>=' if higher else '<='} {bound:g}"
        asked = "" if bound is None else f"; the recipe asks for {limit}"
        text = f"{text.format(number)}{asked}."
        found.append(Check(name=name.replace("_", " "), number=number, bound=limit, ok=ok, text=text, measured=True))
    return found


if __name__ == "__main__":
    keep(sys.argv[1:])
