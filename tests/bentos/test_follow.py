"""Following an alias: swaps under load, refusals, an absent registry, the challenger."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.artifacts import Store
from tasks.watching import log
from tasks.watching.replicas import replicas
from tests.bentos.conftest import FIELDS, ROOT, ROW, Registry, Running, Serve, write_release


def until(condition: Callable[[], Any], limit: float = 10) -> Any:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def follow(serve: Serve, registry: Registry, **given: Any) -> Running:
    return serve(**({"follow": "champion", "release": "wine", "mlflow_url": registry.url} | given))


def reasons(running: Running) -> str:
    return " ".join(one["message"] for one in running.client.get("/ready").json()["reasons"])


def version(running: Running) -> str:
    return str(running.predict().json()["version"])


def test_swaps_lose_no_request(serve: Serve, registry: Registry, data_root: Path) -> None:
    registry.add(2, intercept=2.0)
    running = follow(serve, registry)
    one = running.predict().json()
    assert one["version"] == "1"
    seen: list[tuple[int, str, float]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answer = running.predict()
            told = answer.json()
            seen.append((answer.status_code, told.get("version"), told.get("prediction")))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in (2, 1, 2, 1, 2):
        registry.move("champion", number)
        until(lambda number=number: running.client.get("/info").json()["version"] == str(number))
    stop.set()
    for thread in threads:
        thread.join()
    answers = {"1": one["prediction"], "2": one["prediction"] + 1}
    assert {status for status, _, _ in seen} == {200}
    assert {name for _, name, _ in seen} == {"1", "2"}
    assert all(abs(found - answers[name]) < 1e-9 for _, name, found in seen)
    until(lambda: [beat.version for beat in replicas(Store(data_root / "store"), "wine")] == ["2"])
    info = running.client.get("/info").json()
    assert info["lineage"]["data.digest"] == "d" * 64
    assert info["follow"] == "champion"


def test_started_twice_as_bento_does_it_follows_once(
    serve: Serve, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="penstock")
    registry.add(2, intercept=2.0)
    running = follow(serve, registry)
    lifecycle = running.client.lifecycle
    follower, tasks = lifecycle.follower, list(lifecycle.tasks)
    running.client.run(lifecycle.start())
    assert (lifecycle.follower, lifecycle.tasks) == (follower, tasks)
    for number in (2, 1, 2):
        registry.move("champion", number)
        until(lambda number=number: version(running) == str(number))
    time.sleep(0.2)
    told = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Serving")]
    assert told == [f"Serving wine v{number}" for number in (1, 2, 1, 2)]


def test_a_failed_self_test_is_refused_once_and_the_old_one_serves(serve: Serve, registry: Registry) -> None:
    registry.add(2, intercept=2.0, spoilt=True)
    running = follow(serve, registry)
    registry.move("champion", 2)
    told = until(lambda: running.client.get("/info").json()["refused"])
    assert (told[0]["version"], told[0]["alias"]) == ("2", "champion")
    assert "self-test" in told[0]["reason"]
    assert version(running) == "1"
    assert running.client.get("/ready").json()["status"] == "degraded"
    time.sleep(0.3)
    assert "penstock_refused_versions_total 1.0" in running.client.get("/metrics").text
    registry.move("champion", 1)
    until(lambda: running.client.get("/ready").json()["status"] == "ready")


def test_altered_files_are_refused(serve: Serve, registry: Registry) -> None:
    registry.add(2)
    (registry.versions[2]["folder"] / "linear.json").write_text("{}")
    running = follow(serve, registry)
    registry.move("champion", 2)
    until(lambda: running.client.get("/info").json()["refused"])
    assert version(running) == "1"


def test_an_alias_moved_by_hand_is_served_after_the_ledger_adopts_it(serve: Serve, registry: Registry) -> None:
    registry.add(2, intercept=2.0)
    running = follow(serve, registry)
    registry.move("champion", 2, ledger=False)
    until(lambda: "alias outside ledger" in reasons(running))
    assert version(running) == "1"
    registry.move("champion", 2)
    until(lambda: version(running) == "2")
    info = running.client.get("/info").json()
    assert (info["refused"], reasons(running)) == ([], "")


def test_another_schema_is_never_swapped_in(serve: Serve, registry: Registry) -> None:
    registry.add(2, fields=[*FIELDS[:-1], {"name": "organic", "dtype": "bool", "nullable": True, "example": True}])
    registry.add(3, fields=[{**FIELDS[0], "max": 20.0}, *FIELDS[1:]], intercept=3.0)
    running = follow(serve, registry)
    registry.move("champion", 2)
    until(lambda: "schema differs" in reasons(running))
    assert version(running) == "1"
    registry.move("champion", 3)
    until(lambda: version(running) == "3")
    row = running.client.get("/openapi.json").json()["components"]["schemas"]["Row"]
    assert "20" in row["properties"]["fixed acidity"]["description"]


def test_without_the_registry_it_keeps_serving(serve: Serve, registry: Registry) -> None:
    running = follow(serve, registry)
    registry.down = True
    until(lambda: "cannot be followed" in reasons(running))
    assert version(running) == "1"
    asked = registry.asked
    time.sleep(0.5)
    assert registry.asked - asked < 5
    registry.down = False
    until(lambda: running.client.get("/ready").json()["status"] == "ready")


def test_cold_start_without_the_registry(serve: Serve, registry: Registry, tmp_path: Path) -> None:
    registry.down = True
    bare = follow(serve, registry, replica="bare")
    assert bare.client.get("/ready").status_code == 503
    assert bare.predict().status_code == 503
    baked = follow(serve, registry, replica="baked", baked=write_release(tmp_path / "baked", 7.0), baked_version="9")
    assert version(baked) == "9"
    assert baked.client.get("/ready").json()["status"] == "degraded"
    registry.down = False
    until(lambda: bare.client.get("/ready").status_code == 200)
    until(lambda: version(baked) == "1")
    until(lambda: baked.client.get("/ready").json()["status"] == "ready")


def test_a_bento_serves_its_baked_version(serve: Serve, tmp_path: Path) -> None:
    running = serve(baked=write_release(tmp_path / "baked"), baked_version="9")
    assert version(running) == "9"


def test_a_bento_follows_its_own_release(serve: Serve, registry: Registry, tmp_path: Path) -> None:
    running = follow(serve, registry, release=None, baked=write_release(tmp_path / "baked", 7.0), baked_version="9")
    assert version(running) == "1"
    assert running.client.get("/ready").json()["status"] == "ready"


@pytest.mark.parametrize("release", ["wine", None])
def test_a_folder_that_is_named_is_served_as_it_is_whatever_is_followed(
    serve: Serve, registry: Registry, folder: Path, release: str | None
) -> None:
    running = follow(serve, registry, release=release, folder=folder)
    assert version(running).startswith("local-")
    assert running.client.get("/ready").json()["status"] == "degraded"
    assert "PENSTOCK_FOLDER is served as it is" in reasons(running)
    assert running.client.lifecycle.follower is None


def test_few_folders_are_kept_and_never_less_than_what_is_in_use(
    serve: Serve, registry: Registry, data_root: Path
) -> None:
    running = follow(serve, registry)
    kept = data_root / "served" / "wine"
    for number in (2, 3, 4, 5):
        registry.add(number, spoilt=True)
        registry.move("champion", number)
        until(lambda number=number: f"v{number} is not served" in reasons(running))
    assert sorted(path.name for path in kept.iterdir()) == ["v1", "v3", "v4", "v5"]
    registry.add(6)
    registry.move("champion", 6)
    until(lambda: version(running) == "6")
    registry.move("champion", 3)
    until(lambda: "v3 is not served" in reasons(running))
    assert sorted(path.name for path in kept.iterdir()) == ["v3", "v5", "v6"]


def test_no_champion_yet(serve: Serve, registry: Registry) -> None:
    del registry.aliases["champion"]
    running = follow(serve, registry)
    assert running.client.get("/ready").status_code == 503
    assert "has no champion" in reasons(running)
    registry.move("champion", 1)
    until(lambda: running.client.get("/ready").status_code == 200)


def test_the_challenger_is_logged_and_not_returned(serve: Serve, registry: Registry, data_root: Path) -> None:
    registry.add(2, intercept=2.0)
    running = follow(serve, registry)
    registry.move("challenger", 2)
    until(lambda: running.client.get("/info").json()["shadow"] == "2", 30)
    asked = running.predict(headers={"X-Request-ID": "asked"}).json()
    assert asked["version"] == "1"

    def shadowed() -> list[log.Record]:
        return [one for one in log.read_all(log.folder(data_root, "wine")) if one.kind == "shadow"]

    (found,) = until(shadowed)
    assert (found.request_id, found.version, found.inputs) == ("asked", "2", ROW)
    assert found.output["prediction"] == asked["prediction"] + 1
    process = running.desk.shadow._process
    assert process is not None
    del registry.aliases["challenger"]
    until(lambda: running.client.get("/info").json()["shadow"] is None)
    until(lambda: process.returncode is not None)


def test_a_slow_challenger_is_given_less(serve: Serve, registry: Registry) -> None:
    import os
    import signal

    registry.add(2, intercept=2.0)
    running = follow(serve, registry, poll_s=30)
    registry.move("challenger", 2)
    running.client.run(running.client.lifecycle.follower.look_for_challenger())
    process = running.desk.shadow._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    long = ROW | {"colour": "x" * 20_000}
    for _ in range(90):  # whoever waited for the challenger would wait for ever
        assert running.predict(long).status_code == 200
    os.kill(process.pid, signal.SIGCONT)
    assert running.desk.metrics.shadow_dropped._value.get() > 0


def test_a_challenger_that_prints_does_not_stand_still(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "release")
    code = (
        "import sys; from bentos.kit import challenger\n"
        "def loud(handle, writer, privacy, lines):\n"
        "    print('x' * 300_000, flush=True)\n"
        "challenger.follow = loud\n"
        "challenger.main(*sys.argv[1:])\n"
    )
    words = ["bentos.tabular.model:load_tabular", str(folder), "1", str(tmp_path / "log"), "one-shadow"]
    with (tmp_path / "errors").open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-c", code, *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=errors,
        )  # fmt: skip
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b'{"refused":""}\n'
        try:
            assert child.wait(20) == 0
        finally:
            child.kill()
    assert (tmp_path / "errors").stat().st_size > 300_000


def test_a_spoilt_challenger_is_refused(serve: Serve, registry: Registry) -> None:
    registry.add(2, spoilt=True)
    running = follow(serve, registry)
    registry.move("challenger", 2)
    told = until(lambda: running.client.get("/info").json()["refused"], 30)
    assert (told[0]["version"], told[0]["alias"]) == ("2", "challenger")
    assert running.client.get("/info").json()["shadow"] is None
