"""A served predictor as a contender: started as a user would, loaded from a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from tasks.settings import ROOT
from tests.benchmarks.harness import Measure, tree_cpu
from tests.prefect_server import free_port

PATIENCE = 180  # seconds until it must be ready


def measures(clients: Sequence[int], shares: Sequence[str]) -> tuple[Measure, ...]:
    """What `Served` measures, in the order of a table."""
    of_clients = [
        one
        for count in clients
        for one in (
            *(Measure(f"{at}, {by(count)}", "ms") for at in shares),
            Measure(f"requests/s, {by(count)}", "", "more"),
        )
    ]
    return (Measure("CPU per request", "ms"), *of_clients)


def by(clients: int) -> str:
    return f"{clients} client{'s' * (clients > 1)}"


class Served:
    """A command that serves `POST path` on `port`; every answer must be 200."""

    clients: Sequence[int] = (1, 32)
    shares: Sequence[str] = ("p50", "p99")

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        path: str,
        body: str | Sequence[str],
        *,
        ready: str,
        folder: Path,
        env: Mapping[str, str] | None = None,
        seconds: float = 3,
    ) -> None:
        self.name, self.command, self.port, self.path, self.body = name, command, port, path, body
        self.ready, self.log, self.seconds = ready, folder / f"{name.replace(' ', '-').lower()}.log", seconds
        scripts = (
            f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # mlflow calls uvicorn by name
        )
        self.folder, self.env = folder, os.environ | {"OMP_NUM_THREADS": "1"} | dict(env or {}) | {"PATH": scripts}

    @classmethod
    def bento(
        cls, name: str, service: str, release: Path, path: str, body: str | Sequence[str], folder: Path, **more: Any
    ) -> Self:
        """Our `service` of a release folder, whose pieces lie in `store`; what it writes goes into `folder`."""
        port = free_port()
        command = [sys.executable, "-m", "bentoml", "serve", service, "--host", "127.0.0.1", "--port", str(port)]
        env = {
            "PENSTOCK_ARTIFACTS": str(more.pop("store")),
            "PENSTOCK_DATA_ROOT": str(folder / "var"),
            "PENSTOCK_FOLDER": str(release),
            "PENSTOCK_FOLLOW": "",
            "PENSTOCK_EMBED_THREADS": "1",
            "BENTOML_HOME": str(folder / "bentoml"),
        }
        command += ["--working-dir", str(ROOT)]
        return cls(name, command, port, path, body, ready="/ready", folder=folder, env=env, **more)

    def __enter__(self) -> Self:
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self.wait_ready()
            self.load(1, 1.0)  # warm
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for number, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.process.pid, number)
                self.process.wait(patience)

    def measure(self) -> dict[str, float]:
        """The CPU time is the lesser of those under one and under many clients."""
        found: dict[str, float] = {}
        for clients in self.clients:
            before = tree_cpu(self.process.pid)
            told = self.load(clients, self.seconds)
            cpu = (tree_cpu(self.process.pid) - before) / told["requests"] * 1000
            found |= {f"{at}, {by(clients)}": told[at] for at in self.shares}
            found |= {f"requests/s, {by(clients)}": told["rps"], f"CPU per request, {by(clients)}": cpu}
            found["CPU per request"] = min(cpu, found.get("CPU per request", cpu))
        return found

    def load(self, clients: int, seconds: float) -> dict[str, Any]:
        job = {"port": self.port, "path": self.path, "body": self.body, "clients": clients, "seconds": seconds}
        generator = Path(__file__).with_name("load.py")
        done = subprocess.run([sys.executable, generator], input=json.dumps(job), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"The load on {self.name} failed (see {self.log}):\n{done.stderr[-2000:]}")
        told: dict[str, Any] = json.loads(done.stdout)
        if told["failed"]:
            raise RuntimeError(f"{self.name} answered {told['failed']} of {told['requests']} requests with an error.")
        return told

    def wait_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE
        with httpx.Client(trust_env=False) as http:
            while time.monotonic() < deadline and self.process.poll() is None:
                with suppress(httpx.TransportError):
                    if http.get(f"http://127.0.0.1:{self.port}{self.ready}").status_code == 200:
                        return
                time.sleep(0.2)
        told = self.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self.name} was not ready after {PATIENCE} s: {' '.join(self.command)}\n{told}")
