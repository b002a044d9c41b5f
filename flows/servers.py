"""The local Prefect and MLflow servers and one worker: started once, kept, seen by `status`, ended by `down`."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
from pydantic import BaseModel

from tasks.errors import Refused, Unavailable
from tasks.processes import locked
from tasks.settings import ROOT, Settings

POOL = "local"
PATIENCE = 20.0  # seconds in which Prefect should hear of a worker


class Server(BaseModel):
    """A process of ours: enough to know it again, and to end no other."""

    name: str
    pid: int
    started: float
    port: int | None = None

    def process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            alive = process.create_time() == self.started and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


# environment


def environment(settings: Settings) -> dict[str, str]:
    """The environment with what Prefect, MLflow and BentoML need to know; native variables win."""
    lines = (ROOT / "docker" / "telemetry.env").read_text().splitlines()
    quiet = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    ours = quiet | {
        "PREFECT_LOCAL_STORAGE_PATH": str(settings.root / "records"),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "penstock",  # our lines stand on the run's page
        "MLFLOW_TRACKING_URI": settings.mlflow_url,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "BENTOML_HOME": str(settings.root / "bentoml"),
        "OMP_NUM_THREADS": str(settings.threads),
        "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads make a training ten times slower on a busy machine
    }
    if not foreign_prefect(settings):
        ours |= {"PREFECT_API_URL": settings.prefect_url, "PREFECT_HOME": str(settings.root / "prefect")}
    return ours | dict(os.environ)


def foreign_prefect(settings: Settings) -> bool:
    """A Prefect API of the user's own: by variable, or by the active Prefect profile."""
    if settings.prefect_url != settings.local_prefect:
        return True
    profiles = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect")) / "profiles.toml"
    if not profiles.is_file():
        return False
    told = tomllib.loads(profiles.read_text())
    active = os.environ.get("PREFECT_PROFILE") or told.get("active", "")
    return bool(told.get("profiles", {}).get(active, {}).get("PREFECT_API_URL"))


# commands


def wanted(settings: Settings) -> dict[str, tuple[int, list[str], dict[str, str]]]:
    """The servers that this profile runs by itself: port, command, environment."""
    host = ["--host", "127.0.0.1", "--port"]
    servers = {}
    if not foreign_prefect(settings):
        port = settings.prefect_port
        command = ["prefect", "server", "start", *host, str(port)]
        servers["prefect"] = (port, command, {
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_UI_URL": f"http://127.0.0.1:{port}",
        })  # fmt: skip
    if settings.mlflow_url == settings.local_mlflow:
        place = settings.root / "mlflow"
        database, artifacts = f"sqlite:///{place / 'mlflow.db'}", str(place / "artifacts")
        command = ["mlflow", "server", "--backend-store-uri", database, "--artifacts-destination", artifacts]
        command += ["--workers", "1", *host, str(settings.mlflow_port)]
        servers["mlflow"] = (settings.mlflow_port, command, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    return servers


def start(settings: Settings) -> None:
    """Start what is not running, without waiting for it (see `wait`)."""
    with locked(settings.root / "locks" / "servers"):
        for name, (port, command, extra) in wanted(settings).items():
            if server := alive(settings, name):
                refuse_moved(settings, server, port)
                continue
            refuse_held(settings, name, port)
            launch(settings, name, command, extra, port)


def start_worker(settings: Settings) -> None:
    """One process worker, in the background, online when this returns or said to be not; needs the Prefect server."""
    with locked(settings.root / "locks" / "servers"):
        if not alive(settings, "worker"):
            command = ["prefect", "worker", "start", "--pool", POOL, "--type", "process"]
            launch(settings, "worker", command, {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO"})
    wait_for_worker(settings)


def wait_for_worker(settings: Settings) -> None:
    """Until Prefect knows of a worker: before that, services tell who uploads that nothing will train."""
    from flows import console  # reads half of the house, which `down` goes without

    deadline, log = time.monotonic() + PATIENCE, log_file(settings, "worker")
    while not online():
        if alive(settings, "worker") is None:
            raise Unavailable(f"The worker ended at once; its log is {log}.")
        if time.monotonic() > deadline:
            told = (
                f"the worker runs but is not online at Prefect after {PATIENCE:.0f} s: nothing trains by itself until"
            )
            console.out.print(f"{told} it is; its log is {log}")
            return
        time.sleep(0.2)


def online() -> bool:
    """Whether Prefect, as this process's environment or profile names it, has a worker of the pool online."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import WorkerStatus

    try:
        with get_client(sync_client=True) as client:
            return any(one.status == WorkerStatus.ONLINE for one in client.read_workers_for_work_pool(POOL))
    except httpx.HTTPError:  # 404 where there is no pool
        return False


def launch(settings: Settings, name: str, command: list[str], extra: dict[str, str], port: int | None = None) -> None:
    """Start a server in a session of its own with its output in a file: no caller's end takes it down."""
    (settings.root / "mlflow").mkdir(parents=True, exist_ok=True)
    places = {"PENSTOCK_DATA_ROOT": str(settings.root), "PENSTOCK_PROJECT": str(settings.project.resolve())}
    with log_file(settings, name).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=environment(settings) | extra | places,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(name=name, pid=process.pid, started=psutil.Process(process.pid).create_time(), port=port)
    record(settings, name).write_text(server.model_dump_json())


def wait(settings: Settings) -> None:
    """Until Prefect and MLflow answer."""
    answers = {"prefect": f"{settings.prefect_url}/health", "mlflow": f"{settings.mlflow_url}/health"}
    ours = wanted(settings)
    deadline = time.monotonic() + settings.start_timeout
    for name in ours:
        while not healthy(answers[name]):
            if alive(settings, name) is None or time.monotonic() > deadline:
                raise Unavailable(f"The local {name} server did not start; its log is {log_file(settings, name)}.")
            time.sleep(0.2)


def ready(settings: Settings) -> None:
    """Start both local servers where they are needed, and wait for them."""
    start(settings)
    wait(settings)


def healthy(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


# records


def record(settings: Settings, name: str) -> Path:
    return made(settings.root / "servers") / f"{name}.json"


def log_file(settings: Settings, name: str) -> Path:
    return made(settings.root / "logs") / f"{name}.log"


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def alive(settings: Settings, name: str) -> Server | None:
    path = record(settings, name)
    server = Server.model_validate_json(path.read_text()) if path.exists() else None
    return server if server and server.process() else None


def status(settings: Settings) -> list[Server]:
    """The servers of this data root that live."""
    return [server for name in ("prefect", "mlflow", "worker") if (server := alive(settings, name))]


def down(settings: Settings) -> list[Server]:
    """End the servers of this data root, the worker first."""
    with locked(settings.root / "locks" / "servers"):
        ended = list(reversed(status(settings)))
        for server in ended:
            end(server)
            record(settings, server.name).unlink()
    return ended


def end(server: Server, patience: float = 20) -> None:
    """End a server with its children: politely, then not."""
    process = server.process()
    family = [process, *process.children(recursive=True)] if process else []
    with suppress(ProcessLookupError):  # it ended by itself since we looked
        os.killpg(server.pid, signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=patience)
    signal_all(left, psutil.Process.kill)
    psutil.wait_procs(left, timeout=patience)


def signal_all(processes: Iterable[psutil.Process], act: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        try:
            act(process)
        except psutil.NoSuchProcess:
            continue


def refuse_moved(settings: Settings, server: Server, port: int) -> None:
    if server.port != port:
        raise Refused(
            f"The {server.name} server of {settings.root} runs on port {server.port}, but PENSTOCK_"
            f"{server.name.upper()}_PORT is {port}. Set it to {server.port}, or run `penstock down` first."
        )


def refuse_held(settings: Settings, name: str, port: int) -> None:
    """A port that another program holds is an error that names it."""
    holders = listeners()
    if port not in holders:
        return
    raise Refused(
        f"Port {port}, wanted for the local {name} server of {settings.root}, is held by {described(holders[port])}. "
        f"End that (`penstock down` in its project), or set PENSTOCK_{name.upper()}_PORT to a free port."
    )


def listeners() -> dict[int, int | None]:
    """Who listens on which port of this machine."""
    try:
        found = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS shows only root the sockets of others; the server's own log tells then
        return {}
    return {int(one.laddr.port): one.pid for one in found if one.laddr and one.status == psutil.CONN_LISTEN}


def described(pid: int | None) -> str:
    if pid is None:
        return "another program"
    try:
        process = psutil.Process(pid)
        root = process.environ().get("PENSTOCK_DATA_ROOT")
        return f"the data root {root} (process {pid})" if root else f"process {pid} ({process.name()})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return "another program"
