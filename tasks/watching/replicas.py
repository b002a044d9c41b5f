"""Heartbeats: each serving replica leaves a small file, so that `rollback` and `status` know whom to ask."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

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


def beat(root: Path, heartbeat: Heartbeat) -> None:
    """Write or replace the replica's file whole."""
    target = _file(root, heartbeat.replica)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_suffix(f".{heartbeat.pid}.new")
    aside.write_bytes(orjson.dumps(asdict(heartbeat)))
    aside.replace(target)


def leave(root: Path, replica: str) -> None:
    _file(root, replica).unlink(missing_ok=True)


def replicas(root: Path, release: str, fresh_s: float = FRESH_S) -> list[Heartbeat]:
    """Who serves the release, by the heartbeats of the last `fresh_s` seconds."""
    beats = [Heartbeat(**orjson.loads(path.read_bytes())) for path in sorted((root / "replicas").glob("*.json"))]
    return [one for one in beats if one.release == release and time.time() - one.time <= fresh_s]


def _file(root: Path, replica: str) -> Path:
    return root / "replicas" / f"{replica}.json"
