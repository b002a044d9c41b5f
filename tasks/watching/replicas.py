"""Heartbeats: each serving replica leaves a small object in the artifact store, so that others know whom to ask."""

import time
from collections.abc import Iterator
from dataclasses import asdict

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from tasks.artifacts import Store
from tasks.errors import NotFound

FRESH_S = 30.0


@dataclass(frozen=True)
class Heartbeat:
    """One serving process: its release, the version that answers, its URL, and when it said so."""

    replica: str
    release: str
    version: str
    url: str
    time: float
    pid: int


def beat(store: Store, heartbeat: Heartbeat) -> None:
    """Write or replace the replica's heartbeat whole."""
    store.write(_name(heartbeat.replica), orjson.dumps(asdict(heartbeat)))


def leave(store: Store, replica: str) -> None:
    store.remove(_name(replica))


def replicas(store: Store, release: str, fresh_s: float = FRESH_S) -> list[Heartbeat]:
    """Who serves the release, on whatever machine, by the heartbeats of the last `fresh_s` seconds."""
    return [one for one in _beats(store, release) if time.time() - one.time <= fresh_s]


def _beats(store: Store, release: str) -> Iterator[Heartbeat]:
    """The readable ones: what is torn or not a heartbeat says nothing about a service."""
    reader = TypeAdapter(Heartbeat)
    for name in store.list("replicas"):
        try:
            found = reader.validate_json(store.read(name))
        except (NotFound, ValidationError):
            continue
        if found.release == release:
            yield found


def _name(replica: str) -> str:
    return f"replicas/{replica}.json"
