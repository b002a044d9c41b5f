"""A Prefect server for the tests of flows: migrated once into a template, copied and started once per session."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx

MIGRATE = "import asyncio, prefect.server.database as d; asyncio.run(d.provide_database_interface().create_db())"
PATIENCE = 120  # seconds; a loaded machine needs more than Prefect's own 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def database(path: Path) -> dict[str, str]:
    return {"PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{path}"}


def template(folder: Path) -> Path:
    """The migrated database of the installed Prefect: ten seconds the first time, none afterwards."""
    path = folder / f"template-{version('prefect')}.db"
    if not path.exists():
        aside = folder / f"new-{os.getpid()}.db"
        subprocess.run([sys.executable, "-c", MIGRATE], env=os.environ | database(aside), check=True)
        copy(aside, path.with_suffix(f".{os.getpid()}"))
        path.with_suffix(f".{os.getpid()}").replace(path)
        for left in folder.glob(f"{aside.name}*"):
            left.unlink()
    return path


def copy(source: Path, target: Path) -> None:
    """SQLite's own backup: a copy of the file alone would lose what still stands in its WAL."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@contextmanager
def running(templates: Path, folder: Path) -> Iterator[str]:
    """Start a server on a copy of the template; yields its API URL and stops it."""
    copy(template(templates), folder / "prefect.db")
    port = free_port()
    env = os.environ | database(folder / "prefect.db")
    env |= {
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_UI_ENABLED": "false",
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    }
    command = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    with (folder / "server.log").open("w") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as server:
        try:
            api = f"http://127.0.0.1:{port}/api"
            wait_healthy(server, api, folder / "server.log")
            yield api
        finally:
            server.terminate()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()


def wait_healthy(server: subprocess.Popen[bytes], api: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{api}/health", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(
        f"The test server of Prefect did not start (exit code {server.poll()}):\n{log.read_text()[-3000:]}"
    )
