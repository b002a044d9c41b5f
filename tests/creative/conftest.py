"""One table of products and one tuned encoder: made once, read by all tests of this room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks import artifacts
from tasks.artifacts import Artifact
from tasks.creative.exporting import Exported, export
from tasks.creative.fitting import fit_tfidf, wrap_encoder
from tasks.creative.tuning import Tuned, tune
from tests.creative.room import OPTIONS, RECIPE, Room, room, tiny_encoder


@pytest.fixture(scope="session")
def shop_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="session")
def shop(shop_root: Path) -> Room:
    with artifacts.opened(shop_root):
        return room()


@pytest.fixture(scope="session")
def base(shop_root: Path) -> Artifact:
    with artifacts.opened(shop_root):
        return tiny_encoder().artifact


@pytest.fixture(scope="session")
def tuned(shop_root: Path, shop: Room, base: Artifact) -> Tuned:
    """The undisturbed fine-tuning, in a process of its own."""
    with artifacts.opened(shop_root):
        return tune(base, shop.texts.artifact, shop.split.artifact, shop.subject, OPTIONS)


@pytest.fixture(scope="session")
def exported(shop_root: Path, shop: Room, tuned: Tuned) -> Exported:
    with artifacts.opened(shop_root):
        return export(tuned.encoder, shop.texts.artifact, shop.split.artifact, shop.subject, "fp32", "auc")


@pytest.fixture(scope="session")
def encoder(shop_root: Path, shop: Room, exported: Exported) -> Artifact:
    """The classifier over the tuned encoder."""
    texts, split = shop.texts.artifact, shop.split.artifact
    with artifacts.opened(shop_root):
        return wrap_encoder(texts, split, shop.subject, RECIPE.texts, exported.artifact, {})


@pytest.fixture(scope="session")
def words(shop_root: Path, shop: Room) -> Artifact:
    """The classifier that counts words."""
    with artifacts.opened(shop_root):
        return fit_tfidf(shop.texts.artifact, shop.split.artifact, shop.subject, RECIPE.texts, "auc")


@pytest.fixture
def opened_shop(shop_root: Path) -> Iterator[None]:
    with artifacts.opened(shop_root):
        yield
