"""Chunks and their vectors to an index: a Qdrant Edge shard, written once and packed."""

import tempfile
from pathlib import Path

import numpy as np
import orjson
import qdrant_edge as edge

from tasks.artifacts import Artifact, canonical, current, file_sha256
from tasks.documents.chunk_file import Chunk, read_chunks
from tasks.errors import BadInput, Refused
from tasks.retrieval.edge import ABOUT, SHARD
from tasks.retrieval.packing import pack
from tasks.retrieval.points import (
    DAY,
    DENSE,
    KEYWORDS,
    SPARSE,
    Facts,
    average_length,
    checked_vectors,
    language_of,
    payload_of,
)
from tasks.retrieval.store import Vector
from tasks.retrieval.vectors import Vectors

GRAPH_ABOVE = 50_000  # points; below, exact search takes 3 ms and needs no graph, which takes minutes to build


def build(chunks: Artifact, vectors: Vectors) -> Artifact:
    """The index of `chunks` with their `vectors`; the same input gives the same bytes, unless it is so large that it
    needs a graph."""
    if vectors.chunks != chunks.digest:
        raise Refused("These vectors belong to other chunks; embed these chunks first.")
    dense = np.load(current().path(vectors.artifact), allow_pickle=False)
    return build_index(read_chunks(current().path(chunks)), dense, vectors.model, GRAPH_ABOVE)


def build_index(chunks: list[Chunk], dense: Vector, model: str, graph_above: int) -> Artifact:
    """A stored folder `indexes`: the packed shard and what it was made of."""
    if not chunks or len(dense) != len(chunks):
        raise BadInput(f"An index needs one vector for each chunk; got {len(chunks)} chunks, {len(dense)} vectors.")
    checked_vectors(dense, dense.shape[1])
    language, count, dim = language_of(chunks), len(chunks), dense.shape[1]
    average = average_length((chunk.embedded for chunk in chunks), language)
    facts = Facts(model=model, dim=dim, count=count, language=language, average=average, graph=count > graph_above)
    with tempfile.TemporaryDirectory() as work:
        shard, folder = Path(work) / "shard", Path(work) / "index"
        for path in (shard, folder):
            path.mkdir()
        _write(shard, chunks, dense, facts)
        _settle(shard)
        pack(shard, folder / SHARD)
        facts = facts.model_copy(update={"shard": file_sha256(folder / SHARD)})
        (folder / ABOUT).write_bytes(canonical(facts.model_dump()))
        return current().put_folder("indexes", folder, meta=facts.model_dump())


def _write(folder: Path, chunks: list[Chunk], dense: Vector, facts: Facts) -> None:
    config = edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(size=facts.dim, distance=edge.Distance.Cosine)},
        sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1) if facts.graph else None,
        wal_enabled=False,
    )
    shard, bm25 = edge.EdgeShard.create(str(folder), config), facts.bm25()
    fields = dict.fromkeys(KEYWORDS, edge.PayloadSchemaType.Keyword) | {DAY: edge.PayloadSchemaType.Datetime}
    for field, kind in fields.items():
        shard.update(edge.UpdateOperation.create_field_index(field, kind))
    for chunk, vector in zip(chunks, dense, strict=True):
        named = {DENSE: vector.tolist(), SPARSE: bm25.embed_document(chunk.embedded)}
        if not named[SPARSE].indices:  # stores differ on whether an empty vector counts in the frequencies of terms
            del named[SPARSE]
        point = edge.Point(id=chunk.id, vector=named, payload=payload_of(chunk))
        # one by one: a batch is stored in an order that differs from run to run, and is not faster
        shard.update(edge.UpdateOperation.upsert_points([point]))
    if facts.graph:
        shard.optimize()
    shard.flush()
    found = int(shard.count(edge.CountRequest(exact=True)))
    shard.close()
    if found != len(chunks):
        raise BadInput(f"{len(chunks) - found} of {len(chunks)} chunks share their id with another; cut them again.")


def _settle(shard: Path) -> None:
    """Take out what differs between two builds of the same points: journals (loading works them in), random names,
    the order of JSON keys."""
    edge.EdgeShard.load(str(shard)).close()
    for number, segment in enumerate(sorted((shard / "segments").iterdir())):
        segment.rename(segment.with_name(f"00000000-0000-0000-0000-{number:012d}"))
    for path in shard.rglob("*.json"):
        path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()), option=orjson.OPT_SORT_KEYS))
