"""A service, killed at random moments under load: every answer that was given stands in the log, once."""

import os
import random
import signal
import threading
import time
from itertools import count
from pathlib import Path

import httpx
import pytest

from tasks.artifacts import Store
from tasks.watching.compaction import compact
from tasks.watching.parts import parts, rows
from tasks.watching.shipping import ship_left
from tests.bentos.conftest import ROW, Child, bentoml_serve, ready, write_release

CLIENTS = 3


class Load:
    """Clients that ask until nobody answers; `answered` are the request ids that got an answer."""

    def __init__(self, child: Child, turn: int) -> None:
        self.child, self.turn = child, turn
        self.answered: list[str] = []
        self.threads = [threading.Thread(target=self.ask, args=(client,)) for client in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def ask(self, client: int) -> None:
        with httpx.Client(base_url=self.child.url, trust_env=False, timeout=10) as http:
            for number in count():
                name = f"{self.turn}-{client}-{number}"
                try:
                    answer = http.post("/predict", json=ROW, headers={"X-Request-ID": name})
                except httpx.HTTPError:
                    return
                assert answer.status_code == 200
                self.answered.append(name)

    def end(self) -> list[str]:
        for thread in self.threads:
            thread.join()
        return self.answered


def killed(root: Path, kills: int) -> None:
    """Ships every 5 s and closes segments every 0.2 s, so that kills also meet closing and shipping."""
    folder, store, dice = write_release(root / "release"), Store(root / "var/store"), random.Random(0)
    answered: list[str] = []
    settings = {"PENSTOCK_FOLDER": str(folder), "PENSTOCK_LOG_SEGMENT_S": "0.2", "PENSTOCK_REPLICA": "one"}
    for turn in range(kills):
        with bentoml_serve(root / "var", "bentos.tabular.service:Tabular", **settings) as child:
            load = Load(ready(child), turn)
            time.sleep(dice.uniform(0.5, 7))
            os.killpg(child.process.pid, signal.SIGKILL)
            answered += load.end()
        compact(store, "wine")
    ship_left(store, root / "var", "wine")
    made = compact(store, "wine")
    found = [one for batch in rows(store, parts(store, "wine")) for one in batch["request_id"].to_pylist()]
    assert len(answered) > 100 and len(found) == len(set(found))
    assert set(answered) <= set(found)
    assert len(set(found) - set(answered)) <= kills * CLIENTS  # logged, and killed before the answer was out
    assert sum(part.unreadable for part in made) <= kills
    assert list((root / "var/predictions/wine").glob("*/*")) == []


@pytest.mark.timeout(200)
def test_two_kills_lose_no_line(tmp_path: Path) -> None:
    killed(tmp_path, 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_kills_lose_no_line(tmp_path: Path) -> None:
    killed(tmp_path, 10)
