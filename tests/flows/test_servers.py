"""The local servers: native variables are respected, a held port is named, only living processes of ours count."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from flows import servers
from flows.servers import Server
from tasks.errors import Refused, Unavailable
from tasks.settings import Settings, load

# a server outlives the command that started it, on purpose
kept = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
LISTEN = """
import socket, time
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    time.sleep(60)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def listener(**env: str) -> Iterator[tuple[int, int]]:
    """Another program that listens: its process and its port."""
    clean = {name: value for name, value in os.environ.items() if name != "PENSTOCK_DATA_ROOT"}
    with subprocess.Popen([sys.executable, "-c", LISTEN], env=clean | env, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child.pid, int(child.stdout.readline())
        finally:
            child.kill()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a data root with ports of its own."""
    monkeypatch.setenv("PENSTOCK_PREFECT_PORT", str(free_port()))
    monkeypatch.setenv("PENSTOCK_MLFLOW_PORT", str(free_port()))
    return load()


def noted(settings: Settings, process: psutil.Process, later: float = 0) -> Path:
    """A record of MLflow as this process, started `later` than it was."""
    server = Server(name="mlflow", pid=process.pid, started=process.create_time() + later, port=1)
    path = servers.record(settings, "mlflow")
    path.write_text(server.model_dump_json())
    return path


# environment


def test_without_servers_of_the_users_own_both_run_here(settings: Settings) -> None:
    env = servers.environment(settings)
    assert env["PREFECT_API_URL"] == f"http://127.0.0.1:{settings.prefect_port}/api"
    assert env["MLFLOW_TRACKING_URI"] == f"http://127.0.0.1:{settings.mlflow_port}"
    assert Path(env["PREFECT_LOCAL_STORAGE_PATH"]).is_relative_to(settings.root)
    assert env["DO_NOT_TRACK"] and env["PENSTOCK_DATA_ROOT"] == str(settings.root)
    assert {name: port for name, (port, _, _) in servers.wanted(settings).items()} == {
        "prefect": settings.prefect_port,
        "mlflow": settings.mlflow_port,
    }


def test_native_variables_win(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    env = servers.environment(settings)
    assert env["PREFECT_API_URL"] == "http://prefect.example/api" == settings.prefect_url
    assert list(servers.wanted(settings)) == ["mlflow"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example")
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    env = servers.environment(settings)
    assert (env["MLFLOW_TRACKING_URI"], env["PREFECT_LOGGING_LEVEL"]) == ("http://mlflow.example", "DEBUG")
    assert servers.wanted(settings) == {}
    servers.ready(settings)
    assert servers.status(settings) == []


def test_a_prefect_profile_wins(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(
        'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "http://prefect.example/api"\n[profiles.none]\n'
    )
    env = servers.environment(settings)
    assert "PREFECT_API_URL" not in env and env["PREFECT_HOME"] == str(tmp_path)
    assert list(servers.wanted(settings)) == ["mlflow"]
    monkeypatch.setenv("PREFECT_PROFILE", "none")
    assert list(servers.wanted(settings)) == ["prefect", "mlflow"]
    monkeypatch.delenv("PREFECT_PROFILE")
    profiles.write_text('active = "none"\n[profiles.none]\n')
    assert list(servers.wanted(settings)) == ["prefect", "mlflow"]


def test_the_environment_that_a_command_leaves_behind_is_no_server_of_the_users_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = servers.wanted(settings)
    for name, value in servers.environment(settings).items():
        monkeypatch.setenv(name, value)
    assert servers.wanted(load()) == before


# ports


def test_a_port_held_by_another_data_root_is_named(settings: Settings) -> None:
    with listener(PENSTOCK_DATA_ROOT="/srv/other/var") as (pid, port), pytest.raises(Refused) as caught:
        servers.refuse_held(settings, "mlflow", port)
    told = str(caught.value)
    assert f"Port {port}" in told and f"the data root /srv/other/var (process {pid})" in told
    assert str(settings.root) in told and "PENSTOCK_MLFLOW_PORT" in told
    servers.refuse_held(settings, "mlflow", port)


def test_a_port_held_by_another_program_stops_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with listener() as (pid, port):
        monkeypatch.setenv("PENSTOCK_PREFECT_PORT", str(port))
        with pytest.raises(Refused, match=rf"local prefect server.*process {pid} \(python.*PENSTOCK_PREFECT_PORT"):
            servers.start(load())
    assert servers.status(settings) == []


# records


def test_nothing_runs_and_nothing_is_ended(settings: Settings) -> None:
    assert servers.status(settings) == [] and servers.down(settings) == []


def test_a_record_of_a_dead_process_counts_for_nothing(settings: Settings) -> None:
    with listener() as (pid, _):
        path = noted(settings, psutil.Process(pid))
        assert [server.pid for server in servers.status(settings)] == [pid]
    assert servers.alive(settings, "mlflow") is None
    assert servers.down(settings) == [] and path.exists()


def test_another_process_with_the_number_of_ours_is_left_alone(settings: Settings) -> None:
    with listener() as (pid, _):
        process = psutil.Process(pid)
        noted(settings, process, later=-100)
        assert servers.status(settings) == [] and servers.down(settings) == []
        assert process.is_running()


@kept
def test_a_server_that_dies_at_once_is_told_with_its_log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    servers.launch(settings, "mlflow", ["penstock_has_no_such_module"], {})
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"local mlflow server did not start; its log is .*mlflow\.log"):
        servers.wait(settings)
    assert time.monotonic() - started < 20
    assert "No module named" in servers.log_file(settings, "mlflow").read_text()


@kept
def test_a_server_is_ended_with_its_children(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "family.py").write_text(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "time.sleep(60)\n"
    )
    servers.launch(settings, "worker", ["family"], {})
    (server,) = servers.status(settings)
    process = server.process()
    assert process is not None and os.getsid(process.pid) != os.getsid(0)
    while not (children := process.children()):
        assert process.is_running()
        time.sleep(0.05)
    assert [one.name for one in servers.down(settings)] == ["worker"]
    assert not any(psutil.pid_exists(child.pid) for child in children) and server.process() is None
    assert not servers.record(settings, "worker").exists()


@kept
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_both_servers_start_are_kept_and_end(settings: Settings) -> None:
    servers.ready(settings)
    try:
        first = servers.status(settings)
        assert [server.name for server in first] == ["prefect", "mlflow"]
        assert servers.healthy(f"{settings.prefect_url}/health") and servers.healthy(f"{settings.mlflow_url}/health")
        servers.ready(settings)
        assert servers.status(settings) == first
        with pytest.raises(Refused, match=f"the data root {settings.root}"):
            servers.refuse_held(settings, "prefect", settings.prefect_port)
    finally:
        ended = servers.down(settings)
    assert ended == list(reversed(first)) and servers.status(settings) == []
    servers.refuse_held(settings, "prefect", settings.prefect_port)
    servers.refuse_held(settings, "mlflow", settings.mlflow_port)


def test_a_server_that_runs_on_another_port_is_named(settings: Settings) -> None:
    noted(settings, psutil.Process())
    with pytest.raises(Refused, match=r"runs on port 1, but PENSTOCK_MLFLOW_PORT is .* `penstock down` first"):
        servers.refuse_moved(settings, servers.status(settings)[0], settings.mlflow_port)


# the worker


@pytest.fixture
def launched(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A worker that runs, this process, without a Prefect server."""

    def launch(settings: Settings, name: str, *_given: object) -> None:
        process = psutil.Process()
        server = Server(name=name, pid=process.pid, started=process.create_time())
        servers.record(settings, name).write_text(server.model_dump_json())

    monkeypatch.setattr(servers, "launch", launch)
    return settings


def test_a_worker_is_waited_for_until_prefect_knows_it(launched: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(servers, "online", lambda: next(answers))
    servers.start_worker(launched)
    assert next(answers, None) is None


def test_a_worker_that_prefect_does_not_hear_of_is_told(
    launched: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(servers, "online", lambda: False)
    monkeypatch.setattr(servers, "PATIENCE", 0.0)
    servers.start_worker(launched)
    told = capsys.readouterr().out
    assert "is not online at Prefect" in told and str(servers.log_file(launched, "worker")) in told


def test_a_worker_that_ends_at_once_is_told_with_its_log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "online", lambda: False)
    monkeypatch.setattr(servers, "launch", lambda *_given: None)
    with pytest.raises(Unavailable, match=r"worker ended at once; its log is .*worker\.log"):
        servers.start_worker(settings)


def test_a_worker_is_online_once_prefect_heard_of_it(prefect_server: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    assert not servers.online()
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=servers.POOL, type="process"), overwrite=True)
        assert not servers.online()
        client.send_worker_heartbeat(servers.POOL, "test", heartbeat_interval_seconds=30)
    assert servers.online()
