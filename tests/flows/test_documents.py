"""The documents flow from end to end, on real servers and a real model: what is read, embedded, promoted, refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from tests.flows.papers import Shelf, moved_in, numbers, primed

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="session")
def ready(prefect_server: str, pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    return primed(pytestconfig.cache.mkdir("documents"), pytestconfig.cache.mkdir("minilm"))


@pytest.fixture
def house(
    prefect_server: str, mlflow_url: str, data_root: Path, tmp_path: Path, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shelf]:
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    moved_in(data_root, ready)
    house = Shelf(tmp_path / "project", f"papers-{next(numbers)}", prefect_server, mlflow_url)
    house.furnish()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: data_root / "records"}):
        yield house


@pytest.fixture
def first(house: Shelf) -> Shelf:
    """Version 1 is champion."""
    outcome = house.train()
    assert outcome.state == "promoted", outcome.text
    return house


def test_the_first_run_promotes(first: Shelf) -> None:
    print(first.ran, first.versions[0].metrics)
    import time
    t = time.time(); assert first.train().state == "champion"; print(time.time() - t)
