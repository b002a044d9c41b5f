"""A service that follows a creative release from embeddings to an encoder and back, asked all the while."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from flows.release import promote, roll_back
from tasks.settings import ROOT
from tests.bentos.conftest import bentoml_serve
from tests.bentos.conftest import ready as is_ready
from tests.flows.papers import moved_in, primed
from tests.flows.test_creative import Shop, house
from tests.flows.under_load import Load

__all__ = ["house"]  # fixture

RECORD = {"title": "Blue kettle", "category": "kitchen", "description": "Our testers agree that it will leak."}


@contextmanager
def client(url: str) -> Iterator[Callable[[], tuple[int, str, float]]]:
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:

        def ask() -> tuple[int, str, float]:
            answer = http.post("/predict?words=false", json=RECORD)
            told = answer.json()
            return answer.status_code, str(told.get("version")), round(told.get("probability", -1.0), 6)

        yield ask


@pytest.fixture
def weights(pytestconfig: pytest.Config) -> Path:
    """A data root in which the embedding model was already fetched and exported."""
    assert pytestconfig.cache is not None
    return primed(pytestconfig.cache.mkdir("documents"), pytestconfig.cache.mkdir("minilm"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_swaps_between_families_under_load_fail_no_request(
    house: Shop, data_root: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved_in(data_root, weights)
    house.recipe(candidates=["embedding"], floors={})
    assert house.train().state == "promoted"
    house.recipe(candidates=["encoder"], encoder=house.encoder(), floors={}, margin=0.5)
    assert house.train().version == 2
    if house.champion == 2:
        roll_back(house.name)
    expected = {str(number): round(house.served(number).predict([RECORD])[0]["probability"], 6) for number in (1, 2)}
    assert [house.served(number).classifier.card.family for number in (1, 2)] == ["embedding", "encoder"]

    settings = {"PENSTOCK_FOLLOW": "champion", "PENSTOCK_RELEASE": house.name, "PENSTOCK_POLL_INTERVAL": "0.2"}
    with bentoml_serve(data_root, "bentos.creative.service:Creative", cwd=ROOT, **settings) as child:
        load = Load(is_ready(child, 120), client)
        with load.running(clients=4):
            load.swapped("1")
            assert promote(house.name, 2, override=True).champion == 2
            took = [load.swapped("2")]
            assert roll_back(house.name).champion == 1
            took.append(load.swapped("1"))
            assert promote(house.name, 2, override=True).champion == 2
            took.append(load.swapped("2"))
    assert {status for status, _, _ in load.seen} == {200}
    assert {(version, found) for _, version, found in load.seen} == set(expected.items())
    with capsys.disabled():
        counts = Counter(version for _, version, _ in load.seen)
        print(f"\n{dict(counts)} answers by version, followed within {max(took):.1f} s, none failed")  # noqa: T201
