"""The embedder: vectors that do not depend on their neighbours, and no torch in its process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.weights import LONGEST, Precision, export
from tests.retrieval import tiny


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_vector_does_not_depend_on_its_neighbours(store: Store, tiny_raw: Path, precision: Precision) -> None:
    artifact = export(tiny.put_raw(tiny_raw), tiny.NAME, precision)
    embedder = Embedder(store.path(artifact), artifact.digest)
    texts = [chunk.text for chunk in tiny.chunks(9)]
    together = np.stack(list(embedder.passages(texts)))
    alone = np.stack([next(embedder.passages([text])) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert together.shape == (9, tiny.DIM) and together.dtype == np.float32
    assert np.abs(np.corrcoef(together) - np.eye(9)).max() < 0.9999


def test_what_is_beyond_the_length_is_cut_off(embedder: Embedder) -> None:
    words = (tiny.WORDS * 20)[: 2 * LONGEST]
    whole, start = embedder.query(" ".join(words)), embedder.query(" ".join(words[: LONGEST - 2]))
    np.testing.assert_allclose(whole, start, atol=1e-6)
    assert not np.allclose(whole, embedder.query(" ".join(words[: LONGEST // 2])), atol=1e-4)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no embedding model"):
        Embedder(tmp_path, "")


def test_serving_modules_need_no_torch() -> None:
    modules = "embedding, edge, server, search"
    code = (
        f"import sys; from tasks.retrieval import {modules}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(child.stdout.split())
    assert "fastembed" in loaded
    assert not loaded & {"torch", "transformers", "pandas", "pymupdf", "prefect", "mlflow"}
