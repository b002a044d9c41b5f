"""A small creative release with real parts, and the service around it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bentos.creative import routes
from bentos.creative.model import Creative, load_creative
from bentos.kit.config import Config
from bentos.kit.desk import Desk
from tasks.artifacts import file_sha256
from tasks.creative import tfidf
from tasks.creative.classifier import CARD, Card
from tasks.creative.served import Served
from tasks.creative.traits import VOCABULARY
from tests.bentos.conftest import Child, Client, bentoml_serve, ready

TEXTS = ("title", "category", "description", "price")
FIELDS: list[dict[str, Any]] = [
    {"name": "title", "dtype": "str", "example": "Blue kettle"},
    {"name": "category", "dtype": "str", "example": "kitchen"},
    {
        "name": "description",
        "dtype": "str",
        "nullable": True,
        "example": "It boils a litre in 90 seconds. It will not rust.",
    },
    {"name": "price", "dtype": "float", "example": 34.5, "nullable": True},
]
RECORD = {one["name"]: one["example"] for one in FIELDS}
TERMS = {"litre": 2.0, "rust": -1.5, "kettle": 0.5, "amazing": -3.0}


def write_release(folder: Path, facts: bool = True, intercept: float = 0.2) -> Path:
    """Counted words; its answers shift with `intercept`."""
    folder.mkdir(parents=True)
    ones = (1.0,) * len(TERMS)
    known = tfidf.Terms(terms=tuple(TERMS), idf=ones, weights=tuple(TERMS.values()), intercept=intercept)
    tfidf.write(folder, known)
    (folder / VOCABULARY).write_text("a\nit\nboils\nlitre\n")
    card = Card(family="tfidf", texts=TEXTS, classes=(False, True), slope=1.2, shift=0.1)
    (folder / CARD).write_text(card.model_dump_json())
    told = {
        "schema_version": 1, "release": "shop", "kind": "creative", "key": "k" * 64, "inputs": {}, "lineage": [],
        "facts": {name: name for name in TEXTS} if facts else {}, "metrics": {}, "input_schema": FIELDS,
        "output_schema": [], "golden": [], "files": {path.name: file_sha256(path) for path in sorted(folder.iterdir())},
    }  # fmt: skip
    (folder / "release.json").write_text(json.dumps(told))
    answer = Served.load(folder, lambda artifact: folder).predict([RECORD])[0]
    (folder / "release.json").write_text(json.dumps(told | {"golden": [{"request": RECORD, "answer": answer}]}))
    return folder


Start = Callable[..., tuple[Client, Desk[Creative]]]


@pytest.fixture
def start(data_root: Path, tmp_path: Path) -> Iterator[Start]:
    """A service with the given Config fields; it ends with the test."""
    running: list[Client] = []

    def begun(**given: Any) -> tuple[Client, Desk[Creative]]:
        folder = given.pop("folder", None) or write_release(tmp_path / "release")
        desk = Desk(
            load_creative, Config(**({"root": data_root, "store": str(data_root / "store"), "folder": folder} | given))
        )
        running.append(Client(routes.app(desk), desk))  # type: ignore[arg-type]
        return running[-1], desk

    yield begun
    for client in running:
        client.stop()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """One real service of a folder, for all tests that only ask it."""
    root = tmp_path_factory.mktemp("shop")
    where = write_release(root / "release")
    with bentoml_serve(root / "var", "bentos.creative.service:Creative", PENSTOCK_FOLDER=str(where)) as child:
        yield ready(child)
