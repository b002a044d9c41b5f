"""The policy, lock and record check of cached steps, on a real Prefect server."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.runtime import flow_run
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings
from pydantic import BaseModel

from tasks import artifacts
from tasks.artifacts import Artifact, Store
from tasks.caching import Flocks, cached, records, steps_of
from tasks.planning import Step

calls: list[str] = []


def double(x: int) -> Artifact:
    calls.append("double")
    return artifacts.current().put_json("numbers", 2 * x)


def total(numbers: list[Artifact]) -> Artifact:
    calls.append("total")
    store = artifacts.current()
    return store.put_json("numbers", sum(store.read_json(number) for number in numbers))


double_step, total_step = cached(double), cached(total)


@flow
def small(x: int) -> list[Step]:
    total_step([double_step(x), double_step(x + 1)])
    return steps_of(UUID(flow_run.id))


@pytest.fixture(autouse=True)
def ground(prefect_server: str, store: Store, tmp_path: Path) -> Iterator[None]:
    calls.clear()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "records"}):
        yield


def ran(x: int = 1) -> list[str]:
    calls.clear()
    small(x)
    return list(calls)


def test_a_second_run_computes_nothing_and_leaves_the_same_steps() -> None:
    first = small(1)
    assert calls == ["double", "double", "total"]
    assert ran() == []
    assert small(1) == first
    assert [step.task.rpartition(".")[2] for step in first] == ["double", "double", "total"]


def test_other_inputs_are_other_keys() -> None:
    small(1)
    assert ran(2) == ["double", "total"]  # 2 was doubled before


@pytest.mark.parametrize("harm", ["delete", "alter"])
def test_a_hit_without_its_whole_artifact_is_a_miss(store: Store, harm: str) -> None:
    gone = small(1)[2].artifacts[0]
    store.path(gone).unlink() if harm == "delete" else store.path(gone).write_bytes(b"7")
    assert ran() == ["total"]
    assert store.read_json(gone) == 6


@pytest.mark.parametrize("content", [b"garbage", b"{}"])
def test_a_spoilt_record_is_a_miss(content: bytes) -> None:
    key = small(1)[2].key
    (records() / key).write_bytes(content)
    assert ran() == ["total"]


def test_a_record_of_another_type_is_a_miss() -> None:
    steps = small(1)
    record = records() / steps[2].key
    record.write_bytes(record.read_bytes().replace(b"Artifact", b"NoSuchClass"))
    assert ran() == ["total"]


class Told(BaseModel):
    passing: list[str] = []


def tell(trouble: bool) -> Told:
    calls.append("tell")
    return Told(passing=["a full disk"] if trouble else [])


tell_step = cached(tell)


@pytest.mark.parametrize("trouble", [True, False])
def test_what_may_be_gone_another_time_is_asked_again(trouble: bool) -> None:
    @flow
    def asked() -> Told:
        return tell_step(trouble)

    assert asked() == asked()
    assert calls == ["tell"] * (2 if trouble else 1)


def test_two_threads_with_one_key_compute_once() -> None:
    def slow(x: int) -> Artifact:
        calls.append("slow")
        time.sleep(0.5)
        return artifacts.current().put_json("numbers", x)

    step = cached(slow)

    @flow
    def both() -> None:
        for future in [step.submit(1), step.submit(1)]:
            future.result()

    both()
    assert calls == ["slow"]


def test_only_the_holder_releases_and_others_wait() -> None:
    locks = Flocks()
    assert locks.acquire_lock("k", "a")
    assert locks.is_locked("k") and locks.is_lock_holder("k", "a") and not locks.is_lock_holder("k", "b")
    assert not Flocks().acquire_lock("k", "b", acquire_timeout=0)
    with pytest.raises(ValueError, match="does not hold"):
        locks.release_lock("k", "b")
    threading.Timer(0.1, locks.release_lock, ("k", "a")).start()
    assert Flocks().wait_for_lock("k", timeout=5)


def test_a_killed_holder_frees_the_lock() -> None:
    path = records().with_name("locks") / "k"
    code = (
        "import time; from pathlib import Path; from tasks.processes import acquire; "
        f"acquire(Path({str(path)!r})); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    assert Flocks().is_locked("k")
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert Flocks().acquire_lock("k", "a", acquire_timeout=5)
