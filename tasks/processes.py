"""Locks that die with their holder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def acquire(path: Path, wait: bool = True) -> int | None:
    """Take the exclusive flock of a file; its descriptor, or None where `wait` is off and another holds it.

    The kernel frees it when the process dies, however it dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the exclusive flock of a file."""
    descriptor = acquire(path)
    assert descriptor is not None
    try:
        yield
    finally:
        os.close(descriptor)
