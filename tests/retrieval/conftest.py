"""A tiny model for most tests, the real one for what only it can show."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks import artifacts
from tasks.artifacts import Artifact, Store
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.weights import export
from tests import minilm
from tests.retrieval import tiny
from tests.retrieval.library import Library, chunks_of_sections, indexed


@pytest.fixture(scope="session")
def tiny_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-raw")
    tiny.write_model(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported weights of the tiny model."""
    with artifacts.opened(tmp_path_factory.mktemp("tiny")) as store:
        return store.path(export(tiny.put_raw(tiny_raw), tiny.NAME, "fp32"))


@pytest.fixture
def tiny_weights(tiny_folder: Path, store: Store) -> Artifact:
    """The tiny model in the test's own store."""
    return tiny.put_weights(tiny_folder)


@pytest.fixture
def embedder(tiny_weights: Artifact, store: Store) -> Embedder:
    return Embedder(store.path(tiny_weights), tiny_weights.digest)


@pytest.fixture(scope="session")
def minilm_root(pytestconfig: pytest.Config) -> Path:
    """The root of the store that keeps the real model between sessions."""
    assert pytestconfig.cache is not None
    return Path(pytestconfig.cache.mkdir("minilm"))


@pytest.fixture(scope="session")
def minilm_weights(minilm_root: Path) -> Artifact:
    return minilm.weights(minilm_root)


@pytest.fixture
def minilm_folder(minilm_root: Path, minilm_weights: Artifact) -> Path:
    with artifacts.opened(minilm_root) as store:
        return store.path(minilm_weights)


@pytest.fixture(scope="session")
def library_root(
    tmp_path_factory: pytest.TempPathFactory, minilm_root: Path, minilm_weights: Artifact
) -> tuple[Path, Library]:
    """A small library with real vectors, made once in a store of its own."""
    with artifacts.opened(minilm_root) as real:
        folder = real.path(minilm_weights)
    root = tmp_path_factory.mktemp("library")
    with artifacts.opened(root) as store:
        weights = store.put_folder("weights", folder, minilm_weights.meta)
        return root, indexed(weights, chunks_of_sections())


@pytest.fixture
def library(library_root: tuple[Path, Library]) -> Iterator[Library]:
    """The small library, its store open."""
    root, made = library_root
    with artifacts.opened(root):
        yield made
