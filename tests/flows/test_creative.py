"""The creative flow from end to end, on real servers: what is learned, offered, refused, swapped and rolled back."""

import csv
import itertools
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from flows import creative
from flows.orders import Order, prepare
from flows.release import promote, roll_back
from flows.replay import stands
from tasks import artifacts, settings
from tasks.artifacts import opened
from tasks.creative.served import Served
from tasks.errors import BadInput, Refused
from tasks.sources.products import PLANTED, rows
from tests.creative.room import tiny_encoder
from tests.flows.conftest import House, failed

pytestmark = pytest.mark.timeout(240)

numbers = itertools.count(1)
RECIPE: dict[str, Any] = {
    "kind": "creative",
    "dataset": "shop",
    "texts": ["title", "category", "description"],
    "rating": "rating",
    "facts": {"title": "title", "description": "description"},
    "candidates": ["tfidf"],
    "margin": 0.02,
    "floors": {"auc": 0.6},
    "slices": ["category"],
}
CONTRACT: dict[str, Any] = {  # without descriptions
    "schema_type": "dataframe",
    "api": "pandas",
    "columns": {
        "id": {"dtype": "string[pyarrow]"},
        "title": {"dtype": "string[pyarrow]"},
        "category": {"dtype": "string[pyarrow]"},
        "price": {"dtype": "float64"},
        "rating": {"dtype": "float64", "in_range": {"min_value": 2, "max_value": 5}},
        "timestamp": {"dtype": "datetime64[ns]"},
    },
}
STEPS = [
    "creative.labelled.label",
    "tables.splits.split",
    "creative.fitting.fit_tfidf",
    "creative.fitting.fit_constant",
    "creative.scoring.score",
    "creative.choosing.choose",
    "tables.evaluation.evaluate",
    "creative.plots.draw",
    "creative.release_folder.assemble",
]


class Shop(House):
    """A house whose dataset is a table of products."""

    flow = creative

    def furnish(self) -> None:
        source = {"type": "file", "path": "shop.csv"}
        self.project.mkdir()
        self.put(
            "datasets/shop.yaml", {"title": "Shop", "licence": "CC0-1.0", "source": source, "contract": "products"}
        )
        self.recipe()
        self.stock(rows(900, 0))

    def put(self, name: str, value: Any) -> None:
        path = self.project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value))  # JSON is YAML

    def recipe(self, **fields: Any) -> None:
        self.put(f"releases/{self.name}.yaml", RECIPE | fields)

    def stock(self, some: list[dict[str, str]]) -> None:
        with (self.project / "shop.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [*some[0]])
            writer.writeheader()
            writer.writerows(some)

    def encoder(self) -> dict[str, Any]:
        """Of a recipe: two small layers in a folder of the project."""
        base = self.project / "encoder"
        with artifacts.opened(self.store.root) as store:
            shutil.copytree(store.path(tiny_encoder().artifact), base)
        return {"base": str(base), "licence": "apache-2.0", "epochs": 2, "rate": 2e-3, "max_tokens": 64}

    def served(self, version: int) -> Served:
        return Served.load(self.store.path(self.versions[version - 1].folder), self.store.path)


@pytest.fixture
def house(
    prefect_server: str, mlflow_url: str, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    house = Shop(tmp_path / "project", f"shop-{next(numbers)}", prefect_server, mlflow_url)
    house.furnish()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: data_root / "records"}):
        yield house


@pytest.fixture
def first(house: Shop) -> Shop:
    """Version 1 is champion."""
    outcome = house.train()
    assert outcome.state == "promoted", outcome.text
    return house


def test_a_classifier_becomes_champion_and_the_second_run_does_nothing(first: Shop) -> None:
    assert set(STEPS) <= set(first.ran)
    assert stands(Order(release=first.name), settings.load())
    assert first.train().state == "champion" and first.ran == []
    (version,) = first.versions
    assert version.metrics["auc"].value > 0.7 and first.faults() == []
    served = first.served(1)
    (found,) = served.predict([{"title": "Blue kettle", "category": "kitchen", "description": "A true must-have!"}])
    assert found["prediction"] in (True, False) and 0 < found["probability"] < 1


def test_shuffled_ratings_are_refused_and_a_rollback_leads_back(first: Shop) -> None:
    some = rows(900, 0)
    ratings = [one["rating"] for one in some]
    random.Random(1).shuffle(ratings)
    first.stock([one | {"rating": rating} for one, rating in zip(some, ratings, strict=True)])
    nonsense = first.train()
    assert nonsense.state == "refused" and "floor auc" in failed(nonsense)
    assert first.champion == 1

    first.stock(rows(1500, 0))
    assert first.train().champion == 3
    assert roll_back(first.name).champion == 1


def test_an_encoder_takes_the_place_of_counted_words(first: Shop, caplog: pytest.LogCaptureFixture) -> None:
    encoder = first.encoder()
    first.recipe(candidates=["encoder"], encoder=encoder, floors={}, margin=0.5)
    outcome = first.train()
    assert outcome.version == 2 and outcome.state in ("promoted", "refused"), outcome.text  # it learned for two epochs
    record = json.loads((first.store.path(first.versions[1].folder) / "release.json").read_bytes())
    assert record["family"] == "encoder" and record["model"]["kind"] == "weights"
    assert [row["what"] for row in record["lineage"]] == [
        "data", "texts", "base", "encoder", "exported encoder", "classifier",
    ]  # fmt: skip
    assert not list(first.store.root.rglob("*.bin")) and not list((first.store.root / "work").glob("encoder-*"))
    first.recipe(candidates=["tfidf", "encoder"], encoder=encoder | {"epochs": 500}, budget=0.001)
    assert first.train().state != "failed" and len(first.versions) == 2, "what is left is the model of version 1"
    assert "creative.exporting.export" not in first.ran
    assert any("the encoder is left out: it would take" in line for line in caplog.messages)


def test_a_version_that_cannot_be_asked_any_more_stops_nothing(first: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Its columns are gone: it is told, and the champion, which reads them too, has to be replaced by a person."""
    first.recipe(texts=["title", "category"], facts={})
    first.train()
    if first.champion == 1:
        promote(first.name, 2, override=True)
    some = [{name: value for name, value in row.items() if name != "description"} for row in rows(900, 1)]
    first.put("contracts/products.yaml", CONTRACT)
    first.stock(some)
    caplog.clear()
    assert first.train().version == 3
    assert any("version 1 is not compared" in line and "description" in line for line in caplog.messages)


def test_another_positive_label_is_compared_with_nothing(first: Shop) -> None:
    """A version with the champion's labels the other way round registers, and a person is told how to let it in."""
    some = [
        row | {"label": ("ham", "spam")[float(row["rating"]) > 3.5]} for row in rows(900, 0) if row["rating"] != "9.9"
    ]
    columns = CONTRACT["columns"] | {name: {"dtype": "string[pyarrow]"} for name in ("description", "label")}
    first.put("contracts/products.yaml", CONTRACT | {"columns": columns})
    first.stock(some)
    first.recipe(rating=None, label="label", positive="spam")
    with pytest.raises(Refused, match=r"It tells False, True apart, .*approve .* 2 --override"):
        first.train()
    promote(first.name, 2, override=True)
    first.recipe(rating=None, label="label", positive="ham")
    with pytest.raises(Refused, match=r"It tells 'ham', 'spam' apart, .*approve .* 3 --override"):
        first.train()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"label": "category"}, "name one of them"),
        ({"texts": ["titel"]}, "`texts` names 'titel', .* did you mean 'title'"),
        ({"facts": {"title": "name"}}, "`facts` names 'name'"),
        ({"texts": ["rating"]}, "what is to be learned stands in `texts`"),
        ({"candidates": ["encoder"], "encoder": {"base": "somebody/model"}}, "name the commit, too"),
        ({"metric": "mae"}, "no metric mae"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_told_before_anything_starts(
    house: Shop, fields: dict[str, Any], told: str
) -> None:
    house.recipe(**fields)
    with opened(house.store.root), pytest.raises(BadInput, match=told):
        prepare(Order(release=house.name), settings.load())


def test_the_planted_rows_are_put_aside(first: Shop) -> None:
    record = json.loads((first.store.path(first.versions[0].folder) / "release.json").read_bytes())
    assert record["inputs"]["table"]["meta"]["rows"] == 900 - round(PLANTED * 900)
