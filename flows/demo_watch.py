"""The tour's part on watching: the last quarter arrives as requests before it arrives as data."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc

from flows import console, running, watching
from flows.orders import Order
from flows.touring import part, service, train
from tasks.artifacts import store_at
from tasks.language.measuring import PATIENCE
from tasks.registry import history, ledger
from tasks.settings import Settings
from tasks.sources import values
from tasks.sources.bundled import csv_of
from tasks.sources.catalog import GeneratorSource, load_dataset
from tasks.sources.contracts import load_contract
from tasks.sources.generators import credit_applications
from tasks.sources.yamls import put_text
from tasks.tables.requests import request_rows
from tasks.watching.wishes import wishes

NAME, ROWS = "credit-watch", "credit-applications"
WINDOW = 1000


@dataclass
class Load:
    """Asks a service one row after the other, in a thread, and counts what it answered."""

    url: str
    rows: list[dict[str, Any]]
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=10) as client:
            for number in count():
                if self.stopped.is_set():
                    return
                self.ask(client, self.rows[number % len(self.rows)])

    def ask(self, client: httpx.Client, row: dict[str, Any]) -> None:
        try:
            told = client.post("/predict", json=row).raise_for_status().json()
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            self.failed.append(str(error))
            return
        self.answered += 1
        self.versions[told["version"]] = self.versions.get(told["version"], 0) + 1

    def wait(self, more: int) -> None:
        """Until so many more were answered."""
        target = self.answered + more
        while self.answered < target and not self.failed:
            time.sleep(0.05)


@contextmanager
def asking(url: str, rows: list[dict[str, Any]]) -> Iterator[Load]:
    load = Load(url, rows)
    thread = threading.Thread(target=load.run, daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stopped.set()
        thread.join()


def run(settings: Settings, number: int) -> None:
    """Parts `number` and the next one: the alarm, and what comes of it."""
    before, last = quarters(settings)
    part(f"{number}. Watch {NAME}: trained on seven quarters, it is asked about the eighth, which is another one")
    train(Order(release=NAME, files=[str(before)]), settings)
    os.environ["PENSTOCK_LOG_SEGMENT_S"] = "1"  # the log of a minute is too long to wait for here
    with service(NAME, settings) as url, asking(url, last) as load:
        for _ in range(2):
            load.wait(2 * WINDOW)
            time.sleep(2)
            watching.watch(NAME, settings)
        answer(settings, load, url, before, number + 1)
    told = ", ".join(f"version {version} {times}" for version, times in sorted(load.versions.items()))
    console.out.print(f"{load.answered} requests meanwhile ({told}), {len(load.failed)} failed")
    assert not load.failed, load.failed[:3]


def answer(settings: Settings, load: Load, url: str, before: Path, number: int) -> None:
    """Say yes where the alarm asked, and look once more."""
    store = store_at(settings.store)
    champion = history.champion(ledger.entries(store, NAME))
    if not any(wish.open(champion) for wish in wishes(store, NAME)):
        console.out.print("No alarm: an earlier tour has trained it on all eight quarters.")
        return
    part(f"{number}. Say yes: it is trained on what the source holds by now, and takes over while it is asked")
    watching.retrain(NAME, True, "the eighth quarter is here to stay", settings)
    now = history.champion(ledger.entries(store, NAME))
    running.settled_version(url, now, PATIENCE)
    load.wait(2 * WINDOW)
    time.sleep(2)
    watching.watch(NAME, settings)
    console.out.print("A training that leaves the eighth quarter out is refused now:")
    train(Order(release=NAME, files=[str(before)], seed=1), settings)


def quarters(settings: Settings) -> tuple[Path, list[dict[str, Any]]]:
    """A file of all quarters but the last, and the rows of the last as requests."""
    source = load_dataset(ROWS, settings.folders).source
    assert isinstance(source, GeneratorSource)
    table = credit_applications(source.rows, source.seed)
    late = pc.equal(table["quarter"], pc.max(table["quarter"]))
    path = settings.root / "demo" / "seven-quarters.csv"
    put_text(path, csv_of(table.filter(pc.invert(late))).decode())
    return path, requests(table.filter(late), settings)


def requests(table: pa.Table, settings: Settings) -> list[dict[str, Any]]:
    """Rows as a client would send them, without those that are spoilt on purpose."""
    contract = load_contract(ROWS, settings.folders)
    names = [name for name in table.column_names if name not in ("application_id", "quarter", "defaulted")]
    columns, good = {}, pa.array([True] * len(table))
    for name in names:
        column = contract.columns[name]
        columns[name], misfit = values.parse(table[name], column.dtype)
        empty = pc.is_null(columns[name]) if not column.nullable else pa.array([False] * len(table))
        good = pc.and_(good, pc.invert(pc.or_(misfit, empty).combine_chunks()))
    return request_rows(pa.table(columns).filter(good), names)
