"""The creative flow, killed again and again between the first model and the decision, and run on until it is done."""

from pathlib import Path
from typing import Any

import pytest

from tests.crash.parts import Home, Part, survives
from tests.flows.test_creative import Shop

PARTS = (
    Part("training", " batches of ", 5, kept=True),
    Part("exporting", "tokens in", 2),
    Part("choosing", "exported as", 2),
    Part("deciding", "registered as version", 1),
)


def made(home: Home) -> list[Any]:
    return [[told[name] for name in ("model", "files", "metrics", "golden", "family")] for told in home.kept]


@pytest.fixture
def homes(prefect_server: str, mlflow_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Home, Home]:
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    monkeypatch.setenv("PENSTOCK_DATA_ROOT", str(tmp_path / "var"))
    project = tmp_path / "project"
    shops = [Shop(project, name, prefect_server, mlflow_url) for name in ("undisturbed", "killed")]
    shops[0].furnish()
    encoder = shops[0].encoder() | {"epochs": 60, "patience": 1000}
    for shop in shops:
        shop.recipe(candidates=["tfidf", "encoder"], encoder=encoder, floors={})
    return Home(shops[0], tmp_path / "undisturbed"), Home(shops[1], tmp_path / "killed")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_killed_ten_times_ends_where_an_undisturbed_one_does(
    homes: tuple[Home, Home], capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        survives(homes, PARTS, 11, made, "encoder")
