"""One contract, two implementations: what the embedded index answers, the server's answers too."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from tasks import artifacts
from tasks.artifacts import Artifact
from tasks.errors import BadInput
from tasks.retrieval.building import build_index
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.points import Facts
from tasks.retrieval.server import ServerIndex, connect, publish
from tasks.retrieval.store import Filters, Index
from tests.retrieval import tiny

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]
CHUNKS, VECTORS = [], tiny.unit(400)
for made in tiny.chunks(400):  # no two of one length: equal scores have no order that stores must agree on
    longer = made.text + " padding" * (2 * made.number)
    CHUNKS.append(tiny.chunk(made.number, longer, date=made.date, tenant=made.tenant))
EMPTY = Filters()
FILTERS = {
    "all": EMPTY,
    "tenants": Filters(tenants=("", "north")),
    "documents": Filters(documents=("d1.md", "d3.md")),
    "days": Filters(since="2024-01-05", until="2024-01-09"),
    "since": Filters(since="2024-01-20"),
    "together": Filters(tenants=("south",), documents=("d1.md", "d2.md"), until="2024-01-10"),
    "nobody": Filters(tenants=("west",)),
    "no tenant": Filters(tenants=()),
    "no document": Filters(documents=()),
    "without": Filters(without=("d1.md", "gone.md")),
    "all but": Filters(documents=("d1.md", "d3.md"), without=("d3.md",), since="2024-01-02"),
}


CHUNKS[7] = tiny.chunk(7, "the of and", date=CHUNKS[7].date, tenant=CHUNKS[7].tenant)  # no term that BM25 keeps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Artifact]:
    with artifacts.opened(tmp_path_factory.mktemp("store")) as store:
        artifact = build_index(CHUNKS, VECTORS, "model", 10_000)
        return store.path(artifact), artifact


@pytest.fixture(scope="module", params=["memory", "server"])
def both(
    request: pytest.FixtureRequest, folder: tuple[Path, Artifact], qdrant_url: str | None
) -> Iterator[tuple[Index, Index]]:
    path, artifact = folder
    edge = EdgeIndex(path)
    if request.param == "server" and not qdrant_url:
        pytest.skip("no Qdrant server: set QDRANT_URL")
    client = connect(str(qdrant_url), None) if request.param == "server" else QdrantClient(":memory:")
    name = publish(client, "contract", edge, artifact.digest)
    yield edge, ServerIndex(client, name, Facts.model_validate(artifact.meta))
    client.delete_collection(name)
    client.close()
    edge.close()


def allowed(filters: Filters) -> set[str]:
    """What the filters let through, said again in Python."""
    return {
        chunk.id
        for chunk in CHUNKS
        if (filters.tenants is None or chunk.tenant in filters.tenants)
        and (filters.documents is None or chunk.document in filters.documents)
        and chunk.document not in filters.without
        and (filters.since is None or (chunk.date or "") >= filters.since)
        and (filters.until is None or (chunk.date or "9999") <= filters.until)
    }


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("way", ["hybrid", "dense", "sparse"])
def test_the_same_hits_with_the_same_scores(both: tuple[Index, Index], filters: Filters, way: str) -> None:
    seen = allowed(filters)
    for number, query in enumerate(tiny.unit(8, seed=2)):
        text = None if way == "dense" else " ".join(CHUNKS[number].text.split()[:4])
        dense = None if way == "sparse" else query
        ours, theirs = (index.search(dense, text, filters, 10, 100) for index in both)
        assert [hit.chunk for hit in ours] == [hit.chunk for hit in theirs]
        for name in ("score", "cosine"):
            np.testing.assert_allclose([getattr(h, name) for h in ours], [getattr(h, name) for h in theirs], atol=1e-5)
        assert {hit.chunk.id for hit in ours} <= seen
        assert len(ours) == min(10, len(seen)) or way == "sparse"
        assert [hit.score for hit in ours] == sorted((hit.score for hit in ours), reverse=True)


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
def test_the_same_counts(both: tuple[Index, Index], filters: Filters) -> None:
    assert [index.count(filters) for index in both] == [len(allowed(filters))] * 2


def test_dense_search_is_exact(both: tuple[Index, Index]) -> None:
    for query in tiny.unit(8, seed=3):
        truth = VECTORS @ query
        best = np.argsort(-truth)[:10]
        for index in both:
            hits = index.search(query, None, EMPTY, 10, 100)
            assert [hit.chunk for hit in hits] == [CHUNKS[n] for n in best]
            np.testing.assert_allclose([hit.cosine for hit in hits], truth[best], atol=1e-5)


def test_what_is_refused(both: tuple[Index, Index]) -> None:
    for index in both:
        with pytest.raises(BadInput, match="empty"):
            index.search(None, "  ", EMPTY, 10, 100)
        with pytest.raises(BadInput, match="is no day"):
            index.search(None, "amak", Filters(since="yesterday"), 10, 100)
        with pytest.raises(BadInput, match="do not fit"):
            index.search(tiny.unit(1, 8)[0], "amak", EMPTY, 10, 100)
        assert index.search(None, "the and of", EMPTY, 10, 100) == []
        assert len(index.search(VECTORS[0], "the and of", EMPTY, 10, 100)) == 10
