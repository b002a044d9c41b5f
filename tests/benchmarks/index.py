"""`just bench index`: PDFs to text, chunks to vectors, a folder to an index, a change to the next index."""

from collections.abc import Iterator
from pathlib import Path

from tasks import artifacts
from tasks.documents.chunk_file import Chunk, read_chunks
from tests.benchmarks import embedding, indexing, material, parsing
from tests.benchmarks.harness import Benchmark

CHUNKS = 64  # embedded in each round: those nearest to full length


def benchmark(folder: Path, rounds: int | None) -> Iterator[Benchmark]:
    known = material.reports()
    files = material.pdfs(known)
    yield parsing.benchmark(files, known, rounds or 3)
    model = material.all_minilm(folder, "fp32", "int8")
    yield indexing.whole(files, model, folder, rounds or 2)
    chunks = longest(folder / "pdfs", model)
    tokens = sum(chunk.tokens for chunk in chunks) / len(chunks)
    yield embedding.benchmark(model, [chunk.embedded for chunk in chunks], tokens, rounds or 5)
    yield indexing.change(indexing.DOCUMENTS, model, folder, rounds or 3)


def longest(files: Path, model: material.Model) -> list[Chunk]:
    with artifacts.opened(material.kept()) as store:
        found = read_chunks(store.path(indexing.cut(files, model.artifacts["fp32"]).artifact))
    return sorted(found, key=lambda chunk: -chunk.tokens)[:CHUNKS]
