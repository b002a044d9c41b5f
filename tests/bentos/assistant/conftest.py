"""A small assistant release with real parts, and the service around it on a port of its own."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import uvicorn

from bentos.assistant import routes
from bentos.assistant.model import Assistant, load_assistant
from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.shell import Shell
from tasks import artifacts
from tests.bentos.rag.conftest import weights_folder
from tests.bentos.test_follow import until
from tests.language import tiny as chat
from tests.retrieval import tiny as vectors

__all__ = ["weights_folder"]  # a fixture

QUESTION, ANSWER = next(iter(chat.ANSWERS.items()))
ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
NOISE: list[Any] = [{"role": "user", "content": "noise"}]  # the base has learned nothing: it goes on and on


@dataclass(frozen=True)
class Models:
    """Model folders, the first untrained."""

    base: Path
    tuned: Path
    weights: Path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, weights_folder: Path) -> Models:
    root = tmp_path_factory.mktemp("models")
    return Models(chat.write_model(root / "base", steps=0), chat.write_model(root / "tuned"), weights_folder)


def write_assistant(folder: Path, store_root: Path, models: Models, **told: Any) -> Path:
    """A release of kind assistant in `folder`, its models in the store."""
    (folder / "adapter").mkdir(parents=True)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (folder / "adapter" / name).write_text(f"of {told.get('key', 'v1')}")
    with artifacts.opened(store_root) as store:
        parts = {
            "base": store.put_folder("models", models.base),
            "merged": store.put_folder("models", models.tuned),
            "weights": vectors.put_weights(models.weights),
        }
    golden = [{"request": {"messages": ASKED}, "answer": {"text": ANSWER}}]
    files = {f"adapter/{path.name}": artifacts.file_sha256(path) for path in sorted((folder / "adapter").iterdir())}
    release = {
        "schema_version": 1, "release": "course-chat", "kind": "assistant", "key": "k" * 64, "inputs": {},
        "base_name": "tiny", **{name: one.model_dump() for name, one in parts.items()},
        "generation": {"max_tokens": 40}, "metrics": {}, "input_schema": [],
        "output_schema": "assistant/1", "golden": golden, "files": files,
    }  # fmt: skip
    (folder / "release.json").write_text(json.dumps(release | told))
    return folder


@pytest.fixture(scope="session")
def shipped(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `release` and the `store` of its models."""
    root = tmp_path_factory.mktemp("shipped")
    write_assistant(root / "release", root / "store", models)
    return root


@dataclass
class Served:
    """A started service in this process, behind real HTTP."""

    url: str
    desk: Desk[Assistant]
    client: openai.OpenAI

    def create(self, messages: list[Any] = ASKED, **more: Any) -> Any:
        options = {"model": "course-chat", "messages": messages, "temperature": 0, "max_tokens": 40}
        return self.client.chat.completions.create(**(options | more))

    def post(self, path: str, **given: Any) -> httpx.Response:
        return httpx.post(self.url + path, trust_env=False, timeout=60, **given)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = [line for line in self.get("/metrics").text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def idle(self) -> None:
        """Wait until no answer is written or waits."""
        engine: Any = self.desk.serving().model.engine
        until(lambda: not engine.waiting and not engine._jobs, 5)


@contextmanager
def served(config: Config) -> Iterator[Served]:
    desk = Desk(load_assistant, config)
    shell = Shell(routes.app(desk), desk)
    server = uvicorn.Server(uvicorn.Config(shell, port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        with httpx.Client(trust_env=False) as http:
            client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60, http_client=http)
            yield Served(url, desk, client)
    finally:
        server.should_exit = True
        thread.join(20)


Start = Callable[..., Served]


@pytest.fixture
def start(data_root: Path, shipped: Path) -> Iterator[Start]:
    """Start the service with the given Config fields; it ends with the test."""
    shutil.copytree(shipped / "store", data_root / "store")
    with ExitStack() as running:

        def begin(**given: Any) -> Served:
            known = {"root": data_root, "store": str(data_root / "store"), "folder": shipped / "release"}
            known |= {"poll_s": 0.05, "mlflow_url": "http://127.0.0.1:9"}
            return running.enter_context(served(Config(**(known | given))))

        yield begin


@pytest.fixture
def service(start: Start) -> Served:
    return start()
