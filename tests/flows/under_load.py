"""Clients that ask a service one question after another while it swaps versions."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tests.bentos.conftest import Child
from tests.bentos.test_follow import until

S = TypeVar("S")
MORE = 20  # answers that are waited for after a swap


@dataclass
class Load(Generic[S]):
    """`client(url)` is a context whose value asks once; what it returns is in `seen`, in the order of the answers."""

    child: Child
    client: Callable[[str], AbstractContextManager[Callable[[], S]]]
    seen: list[S] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def asking(self) -> None:
        with self.client(self.child.url) as ask:
            while not self.stop.is_set():
                self.seen.append(ask())

    @contextmanager
    def running(self, clients: int) -> Iterator[None]:
        threads = [threading.Thread(target=self.asking) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def swapped(self, version: str) -> float:
        """Seconds until the service says that it answers with the version; then some more answers."""
        started = time.monotonic()
        until(lambda: self.child.get("/info").json()["version"] == version, 60)
        took = time.monotonic() - started
        asked = len(self.seen)
        until(lambda: len(self.seen) > asked + MORE, 60)
        return took
