"""The room's steps on a real Prefect server: what is unchanged is found, in whatever thread it runs."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import flow
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from tasks.artifacts import Artifact, Store
from tasks.documents import steps
from tasks.documents.chunk_file import ChunkOptions, read_chunks
from tasks.documents.parsed import PageOptions
from tests.documents import made
from tests.documents.folders import papers, written
from tests.documents.test_chunks import tokenizer


@pytest.fixture(autouse=True)
def ground(prefect_server: str, store: Store, tmp_path: Path) -> Iterator[None]:
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "records"}):
        yield


@flow
def read(folder: str, weights: Artifact) -> tuple[int, Artifact, Artifact]:
    corpus = steps.scan(papers(folder), {})
    snapshot = steps.snapshot(corpus, None)
    parsed = steps.parse(snapshot.manifest, PageOptions())
    chunks = steps.chunk(parsed.artifact, weights, ChunkOptions(tokens=40, overlap=8))
    return snapshot.version, chunks.artifact, steps.images(snapshot.manifest, parsed.artifact, 40).artifact


@pytest.mark.timeout(180)
def test_a_second_run_finds_everything(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {"a.md": "# Dams\n\nthe water.\n", "b.pdf": made.text_pdf("the dam.")})
    weights = store.put_folder("weights", tokenizer(tmp_path / "weights"))
    version, chunks, images = read(str(folder), weights)
    assert version == 1 and {chunk.document for chunk in read_chunks(store.path(chunks))} == {"a.md", "b.pdf"}
    stamps = {place: store.place(place).stat().st_mtime_ns for place in store.list("pieces")}
    assert read(str(folder), weights) == (version, chunks, images)
    assert {place: store.place(place).stat().st_mtime_ns for place in store.list("pieces")} == stamps
    store.place(next(iter(store.list("pages")))).unlink()
    assert read(str(folder), weights) == (version, chunks, images)
    (folder / "a.md").write_text("# Dams\n\nthe river.\n")
    assert read(str(folder), weights)[0] == 2


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_large_corpus_passes_between_tasks(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", {f"{number}.txt": f"Text {number}." for number in range(10_000)})

    @flow
    def taken() -> tuple[int, float]:
        corpus = steps.scan(papers(folder), {})
        started = time.process_time()
        return steps.snapshot(corpus, None).documents, time.process_time() - started

    documents, seconds = taken()
    assert documents == 10_000 and seconds < 10
