"""A process of its own: what comes back of it, what it costs, and that nobody is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput, NotFound, Unavailable
from tasks.language.apart import apart
from tests.bentos.test_follow import until
from tests.language import works
from tests.language.room import ROOT, children, ended
from tests.language.works import Done, Order

PARENT = """
import sys
from tasks.artifacts import opened
from tasks.language.apart import apart
from tests.language.works import Done, Order, sleeping

with opened(sys.argv[1]):
    apart(sleeping, Order(), Done, told=lambda fact: print(fact["pid"], flush=True))
"""


def test_work_is_done_on_the_open_store_and_told_while_it_goes_on(store: Store) -> None:
    told: list[dict[str, Any]] = []
    done, cost = apart(works.doubled, Order(number=3), Done, told=told.append)
    assert done == Done(number=6, store=str(store.root))
    assert told == [{"step": 0}, {"step": 1}, {"step": 2}]  # and nothing of what was printed between
    assert cost.device == "cpu" and cost.seconds < 60


def test_errors_of_ours_come_back_as_they_were_raised(store: Store) -> None:
    with pytest.raises(NotFound) as raised:
        apart(works.missing, Order(), Done)
    assert str(raised.value) == "There is no such\nthing; look elsewhere."
    with pytest.raises(BadInput, match="a rule, got something else"):
        apart(works.faulty, Order(), Done)


def test_another_end_is_told_with_the_last_words_and_all_others(
    store: Store, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = tmp_path_factory.mktemp("logs")
    monkeypatch.setattr("tempfile.tempdir", str(logs))
    with pytest.raises(Unavailable, match=r"broken ended early: ZeroDivisionError: ") as raised:
        apart(works.broken, Order(), Done)
    (log,) = logs.iterdir()
    assert str(raised.value).endswith(f" All that it said is in {log}.")
    assert "Traceback" in log.read_text() and "kept" not in str(raised.value)
    with pytest.raises(Unavailable, match=r"silent ended early: code 3\."):
        apart(works.silent, Order(number=3), Done)


def test_memory_that_is_not_there_is_told_with_what_to_change(store: Store) -> None:
    for work in (works.too_hungry, works.killed):
        with pytest.raises(Unavailable, match=f"{work.__name__} needs more memory.*smaller batch.*checkpointing"):
            apart(work, Order(), Done)


def test_costs_are_those_of_the_work(store: Store) -> None:
    held = bytearray(b"x") * (500 << 20)
    done, cost = apart(works.hungry, Order(number=300), Done)
    del held
    assert done.number == 300 << 20
    assert 300 < cost.peak_mb < 400  # whatever its parent holds
    assert 1 <= cost.cpu_seconds < 20 and cost.seconds >= 0.9


def test_whoever_stops_listening_ends_the_work(store: Store) -> None:
    def bored(fact: dict[str, Any]) -> None:
        raise KeyboardInterrupt(fact["pid"])

    with pytest.raises(KeyboardInterrupt) as raised:
        apart(works.sleeping, Order(), Done, told=bored)
    assert ended(raised.value.args[0]) and children() == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_ends_with_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    line, env = [sys.executable, "-c", PARENT, str(tmp_path)], os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(line, stdout=subprocess.PIPE, env=env, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not ended(child) and [one.pid for one in children(parent.pid)] == [child]
        parent.send_signal(how)
        assert parent.wait(10) == -how
        until(lambda: ended(child), 10)
