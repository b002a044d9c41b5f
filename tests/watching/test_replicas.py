"""Heartbeats in the artifact store."""

import time
from pathlib import Path

import pytest

from tasks.artifacts import Store
from tasks.watching.replicas import Heartbeat, beat, leave, replicas


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_heartbeats_of_a_release(store: Store) -> None:
    now = time.time()
    beat(store, Heartbeat("one", "wine", "3", "http://127.0.0.1:3000", now, 1))
    beat(store, Heartbeat("two", "wine", "2", "http://127.0.0.1:3001", now - 60, 2))
    beat(store, Heartbeat("three", "beer", "1", "http://127.0.0.1:3002", now, 3))
    assert [one.version for one in replicas(store, "wine")] == ["3"]
    beat(store, Heartbeat("one", "wine", "4", "http://127.0.0.1:3000", now, 1))
    assert [one.version for one in replicas(store, "wine")] == ["4"]
    leave(store, "one")
    assert replicas(store, "wine") == []


def test_who_stopped_without_leaving_is_still_known(store: Store) -> None:
    now = time.time()
    for name, age in (("fresh", 5), ("late", 40), ("gone", 2 * 86400), ("left", 40)):
        beat(store, Heartbeat(name, "wine", "1", "http://127.0.0.1:3000", now - age, 1))
    leave(store, "left")
    assert [one.replica for one in replicas(store, "wine")] == ["fresh"]
    assert [one.replica for one in replicas(store, "wine", float("inf"))] == ["fresh", "gone", "late"]


@pytest.mark.parametrize("data", [b"", b'{"replica": "on', b"[]", b'{"release": "wine"}', b"\xff"])
def test_a_torn_or_foreign_file_is_no_heartbeat(store: Store, data: bytes) -> None:
    store.write("replicas/odd.json", data)
    beat(store, Heartbeat("one", "wine", "1", "http://127.0.0.1:3000", time.time(), 1))
    assert [one.replica for one in replicas(store, "wine")] == ["one"]
