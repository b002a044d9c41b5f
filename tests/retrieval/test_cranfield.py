"""Cranfield (1400 abstracts, 225 questions, judgements 1 to 4 count): hybrid search earns its place by measure."""

import re
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ir_measures import nDCG
from qdrant_client import QdrantClient

from tasks import artifacts
from tasks.artifacts import Artifact
from tasks.documents.chunk_file import ChunkOptions
from tasks.documents.chunks import chunk_corpus
from tasks.documents.corpus import scan
from tasks.documents.parse import parse_corpus
from tasks.documents.parsed import PageOptions
from tasks.documents.snapshots import take
from tasks.retrieval.building import build
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.search import Searcher
from tasks.retrieval.server import ServerIndex, publish
from tasks.retrieval.specs import SearchOptions
from tasks.retrieval.store import Filters, Hit
from tasks.retrieval.vectors import embed_chunks
from tasks.sources.catalog import Dataset, FolderSource
from tasks.statistics import intervals

ALL = Filters()
Run = dict[str, dict[str, float]]


def entries(path: Path) -> list[dict[str, str]]:
    """The fields of each entry by letter, in the order of the file."""
    found = []
    for entry in re.split(r"^\.I \d+\s*$", path.read_text(), flags=re.MULTILINE)[1:]:
        parts = re.split(r"^\.([TABW])\s*$", entry, flags=re.MULTILINE)
        found.append({letter: " ".join(text.split()) for letter, text in zip(parts[1::2], parts[2::2], strict=True)})
    return found


def cut(documents: list[dict[str, str]], weights: Artifact, folder: Path) -> Artifact:
    """The chunks of the abstracts, each a Markdown file, by the way that every document takes."""
    for number, entry in enumerate(documents, 1):
        body = entry["W"].removeprefix(entry["T"]).strip()
        (folder / f"{number}.md").write_text(f"# {entry['T']}\n\n{body or entry['T']}\n")
    source = FolderSource(type="folder", path=str(folder))
    dataset = Dataset(name="cranfield", title="Cranfield", licence="research", contract="none", source=source)
    parsed = parse_corpus(take(scan(dataset, {}), None).manifest, PageOptions())
    return chunk_corpus(parsed.artifact, weights, ChunkOptions()).artifact


def ranked(hits: list[Hit]) -> dict[str, float]:
    """Documents by their best chunk."""
    best: dict[str, float] = {}
    for hit in hits:
        name = hit.chunk.document.removesuffix(".md")
        best[name] = max(hit.score, best.get(name, hit.score))
    return best


def ndcg(judged: Run, run: Run) -> np.ndarray:
    found = {one.query_id: one.value for one in ir_measures.iter_calc([nDCG @ 10], judged, run)}
    return np.array([found[query] for query in judged])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
@pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")
def test_hybrid_beats_both_of_its_parts(
    shared_data: Path, minilm_root: Path, minilm_weights: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_data / "retrieval" / "cranfield"
    documents, questions = entries(folder / "cran.all.1400"), entries(folder / "cran.qry")
    judged: Run = {}
    for line in (folder / "cranqrel").read_text().splitlines():
        query, document, code = line.split()
        if 1 <= int(code) <= 4:
            judged.setdefault(query, {})[document] = 1  # the question's place in the file, not its own number
    with artifacts.opened(minilm_root) as store:
        chunks = cut(documents, minilm_weights, tmp_path)
        vectors = embed_chunks(chunks, minilm_weights)
        artifact = build(chunks, vectors)
        embedder = Embedder(store.path(minilm_weights), minilm_weights.digest)
        index = EdgeIndex(store.path(artifact))
    searcher = Searcher(index, embedder, SearchOptions())
    runs: dict[str, Run] = {"dense": {}, "sparse": {}, "hybrid": {}}
    for number, question in enumerate(questions, 1):
        text, vector = question["W"], embedder.query(question["W"])
        runs["dense"][str(number)] = ranked(index.search(vector, None, ALL, 50, 100))
        runs["sparse"][str(number)] = ranked(index.search(None, text, ALL, 50, 100))
        runs["hybrid"][str(number)] = ranked(searcher.search(text, 50))
    scores = {way: ndcg(judged, run) for way, run in runs.items()}
    gains = {
        way: intervals((scores["hybrid"] - scores[way])[:, None], [lambda mean: mean[..., 0]])[0]
        for way in ("dense", "sparse")
    }
    with capsys.disabled():
        told = ", ".join(f"{way} {values.mean():.4f}" for way, values in scores.items())
        print(f"\nCranfield nDCG@10: {told}; hybrid gains {gains}")  # noqa: T201 - figures for the reader
    assert scores["hybrid"].mean() >= 0.42
    assert all(gain.low > 0 for gain in gains.values())
    client = QdrantClient(":memory:")
    server = ServerIndex(client, publish(client, "cranfield", index, artifact.digest), index.facts)
    for question in questions[:20]:
        vector = embedder.query(question["W"])
        ours, theirs = (one.search(vector, question["W"], ALL, 10, 100) for one in (index, server))
        assert [hit.chunk.id for hit in ours] == [hit.chunk.id for hit in theirs]
        np.testing.assert_allclose([hit.score for hit in ours], [hit.score for hit in theirs], atol=1e-5)
