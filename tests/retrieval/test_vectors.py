"""The embedding cache: only what is new is embedded, whatever was killed or spoiled before."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tasks.artifacts import Artifact, Store
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.vectors import _keep, drop, embed_chunks, kept, key_of
from tests.retrieval import tiny

RUN = """
import sys
from tasks import artifacts
from tasks.artifacts import Artifact
from tasks.retrieval.vectors import embed_chunks
root, chunks, weights = sys.argv[1:]
with artifacts.opened(root):
    embed_chunks(Artifact.model_validate_json(chunks), Artifact.model_validate_json(weights))
"""


def test_only_new_texts_are_embedded(store: Store, tiny_weights: Artifact, embedder: Embedder) -> None:
    made = tiny.chunks(20)
    first = embed_chunks(tiny.put_chunks(made[:12]), tiny_weights)
    second = embed_chunks(tiny.put_chunks(made[::-1]), tiny_weights)
    third = embed_chunks(tiny.put_chunks([*made, made[0]]), tiny_weights)
    assert [found.embedded_now for found in (first, second, third)] == [12, 8, 0]
    rows = np.load(store.path(second.artifact), allow_pickle=False)
    assert rows.shape == (second.count, second.dim) == (20, tiny.DIM)
    for row, chunk in zip(rows, made[::-1], strict=True):
        np.testing.assert_allclose(row, embedder.query(chunk.embedded), atol=1e-6)


def test_the_place_of_a_text_is_embedded_with_it(store: Store, tiny_weights: Artifact) -> None:
    plain = tiny.chunk(0, "amak boren")
    placed = tiny.chunk(1, "amak boren", heading=["calish"])
    found = embed_chunks(tiny.put_chunks([plain, placed]), tiny_weights)
    first, second = np.load(store.path(found.artifact))
    assert found.embedded_now == 2 and np.dot(first, second) < 0.999


def test_no_chunks_give_no_vectors(store: Store, tiny_weights: Artifact) -> None:
    found = embed_chunks(tiny.put_chunks([]), tiny_weights)
    assert found.count == 0 and np.load(store.path(found.artifact)).shape == (0, tiny.DIM)


def test_a_killed_run_goes_on_where_it_was(store: Store, tiny_weights: Artifact) -> None:
    chunks = tiny.put_chunks(tiny.chunks(6000))
    told = [str(store.root), chunks.model_dump_json(), tiny_weights.model_dump_json()]
    child = subprocess.Popen([sys.executable, "-c", RUN, *told], env=os.environ | {"PYTHONPATH": "."})
    deadline = time.monotonic() + 50
    while not store.list(f"embeddings/{tiny_weights.digest}") and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    done = len(kept(store, tiny_weights.digest))
    assert 0 < done < 6000
    found = embed_chunks(chunks, tiny_weights)
    assert found.count == 6000 and 0 < found.embedded_now <= 6000 - done


def test_a_spoiled_segment_is_told_and_made_again(
    store: Store, tiny_weights: Artifact, caplog: pytest.LogCaptureFixture
) -> None:
    chunks = tiny.put_chunks(tiny.chunks(5))
    first = embed_chunks(chunks, tiny_weights)
    (name,) = store.list(f"embeddings/{tiny_weights.digest}")
    store.write(name, store.read(name)[:-100])
    with caplog.at_level(logging.WARNING):
        second = embed_chunks(chunks, tiny_weights)
    assert second.embedded_now == 5 and second.artifact == first.artifact
    assert f"{name} was altered" in caplog.text


def test_forgotten_texts_leave_the_cache(store: Store, tiny_weights: Artifact) -> None:
    made = tiny.chunks(6)
    embed_chunks(tiny.put_chunks(made), tiny_weights)
    keys = {key_of(chunk.embedded) for chunk in made[:2]}
    vector = kept(store, tiny_weights.digest)[key_of(made[0].embedded)].tobytes()
    assert drop(store, tiny_weights.digest, keys) == 2
    left = kept(store, tiny_weights.digest)
    assert len(left) == 4 and not keys & left.keys()
    folder = Path(store.root) / "embeddings"
    assert all(vector not in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert drop(store, tiny_weights.digest, keys) == 0
    assert embed_chunks(tiny.put_chunks(made), tiny_weights).embedded_now == 2


def test_what_was_forgotten_and_came_again_is_embedded_once(store: Store, tiny_weights: Artifact) -> None:
    made = tiny.chunks(6)
    chunks, keys = tiny.put_chunks(made), {key_of(chunk.embedded) for chunk in made}
    embed_chunks(chunks, tiny_weights)
    assert drop(store, tiny_weights.digest, keys) == 6
    assert store.list("embeddings") == []
    assert [embed_chunks(chunks, tiny_weights).embedded_now for _ in range(2)] == [6, 0]


def test_an_altered_segment_goes_with_what_is_forgotten_and_is_made_again(store: Store, tiny_weights: Artifact) -> None:
    chunks = tiny.put_chunks(tiny.chunks(5))
    embed_chunks(chunks, tiny_weights)
    (name,) = store.list("embeddings")
    store.write(name, store.read(name)[:-100])
    assert [embed_chunks(chunks, tiny_weights).embedded_now for _ in range(2)] == [5, 0]
    store.write(name, b"")
    assert drop(store, tiny_weights.digest, {"-"}) == 0 and store.list("embeddings") == []


@pytest.mark.slow
def test_a_hundred_thousand_vectors_load_in_seconds(store: Store) -> None:
    rows = tiny.unit(100_000, 384)
    for start in range(0, len(rows), 256):
        _keep(store, "model", {key_of(str(start + n)): row for n, row in enumerate(rows[start : start + 256])})
    begin = time.process_time()
    found = kept(store, "model")
    seconds = time.process_time() - begin
    assert len(found) == 100_000 and seconds < 4
    np.testing.assert_array_equal(found[key_of("77777")], rows[77777])
