"""A large documents release without the days of embedding: real vectors of real texts, each varied many times."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from pydantic import BaseModel

from tasks.artifacts import Artifact, canonical, current, file_sha256, sha256
from tasks.documents.chunk_file import Chunk, read_chunks, write_chunks
from tasks.errors import NotFound
from tasks.planning import closure
from tasks.retrieval.building import build_index
from tasks.retrieval.edge import ABOUT, SHARD, EdgeIndex, read_facts
from tasks.retrieval.prompts import FILE, Prompt, write_prompt
from tasks.retrieval.store import Filters, Vector
from tasks.retrieval.vectors import embed_chunks

NOISE = 0.75  # length of what is added to a unit vector: the cosine to its text is then 0.8
PER_DOCUMENT = 20  # chunks
ASKED = 12  # words of a question
TOP = 10


class Made(BaseModel, frozen=True):
    """What stands in the store: the chunks, their vectors (.npy), the index, and how long that took to build."""

    chunks: Artifact
    vectors: Artifact
    index: Artifact
    seconds: float


@dataclass(frozen=True)
class Synthetic:
    """A corpus of `count` chunks varied from `texts`; an index of more than `graph_above` gets a graph."""

    texts: Sequence[str]
    count: int
    graph_above: int

    def made(self, weights: Artifact) -> Made:
        """Built at the first call, found in the store that is open later."""
        code = closure("tasks.retrieval.building") | {__name__: file_sha256(Path(__file__))}
        key = sha256(canonical([list(self.texts), self.count, self.graph_above, weights.digest, code]))
        name = f"synthetic/{key}.json"
        try:
            made = Made.model_validate_json(current().read(name))
            if all(current().whole(one) for one in (made.chunks, made.vectors, made.index)):
                return made
        except NotFound:
            pass
        made = self.build(weights)
        current().write(name, made.model_dump_json().encode())
        return made

    def build(self, weights: Artifact) -> Made:
        given = current().put_bytes("chunks", write_chunks(chunks(self.texts)), ".jsonl")
        real: Vector = np.load(current().path(embed_chunks(given, weights).artifact), allow_pickle=False)
        texts, vectors = varied(self.texts, real, self.count)
        made = chunks(texts)
        started = time.perf_counter()
        index = build_index(made, vectors, weights.digest, self.graph_above)
        took = time.perf_counter() - started
        path = current().place("tmp/vectors.npy")
        np.save(path, vectors, allow_pickle=False)
        return Made(
            chunks=current().put_bytes("chunks", write_chunks(made), ".jsonl"),
            vectors=current().put_file("vectors", path, ".npy"),
            index=index,
            seconds=round(took, 1),
        )


def varied(texts: Sequence[str], real: Vector, count: int) -> tuple[list[str], Vector]:
    """Vectors in clusters around the real ones; a text is half of its own and half of another one."""
    draw = np.random.default_rng(0)
    own, other = draw.integers(0, len(texts), (2, count))
    noise = draw.normal(size=(count, real.shape[1])).astype(np.float32) * (NOISE / real.shape[1] ** 0.5)
    rows = real[own] + noise
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    halves = [text.split() for text in texts]
    words = [
        halves[a][: len(halves[a]) // 2] + halves[b][len(halves[b]) // 2 :] for a, b in zip(own, other, strict=True)
    ]
    return [" ".join(one) for one in words], rows


def chunks(texts: Sequence[str]) -> list[Chunk]:
    return [
        Chunk(
            id=str(uuid5(NAMESPACE_URL, f"{number} {text}")),
            document=f"manual-{number // PER_DOCUMENT:05}.pdf",
            revision="0" * 64,
            number=number % PER_DOCUMENT,
            text=text,
            heading=[f"Section {number % PER_DOCUMENT + 1}"],
            page=number % PER_DOCUMENT + 1,
            last_page=number % PER_DOCUMENT + 1,
            title=f"Manual {number // PER_DOCUMENT}",
            language="en",
            tokens=len(text.split()),
        )
        for number, text in enumerate(texts)
    ]


def questions(texts: Sequence[str], count: int) -> list[str]:
    """Words out of the middle of texts, so that both ways of search find something."""
    chosen = [texts[place * len(texts) // count].split() for place in range(count)]
    return [" ".join(words[len(words) // 4 :][:ASKED]) for words in chosen]


def write_release(folder: Path, made: Made, weights: Artifact) -> Path:
    """The folder that a service is given."""
    folder.mkdir()
    write_prompt(folder, Prompt())
    named = {"index": made.index, "weights": weights, "chunks": made.chunks}
    told: dict[str, Any] = {
        "schema_version": 1,
        "release": "benchmark",
        "kind": "documents",
        "key": "0" * 64,
        "inputs": {"snapshot": {"dataset": "benchmark"}},
        "input_schema": [],
        "output_schema": "documents/1",
        "golden": [],
        "files": {FILE: file_sha256(folder / FILE)},
        **{name: artifact.model_dump(mode="json") for name, artifact in named.items()},
    }
    (folder / "release.json").write_text(json.dumps(told))
    return folder


def agreement(made: Made, queries: Sequence[tuple[str, Vector]], folder: Path) -> float:
    """The share of the exact hybrid search's first hits that the index finds with its graph."""
    folder.mkdir()
    place = current().path(made.index)
    (folder / SHARD).symlink_to(place / SHARD)
    facts = read_facts(place).model_copy(update={"graph": False})
    (folder / ABOUT).write_bytes(canonical(facts.model_dump()))
    found: list[list[set[str]]] = []
    for index in (EdgeIndex(place), EdgeIndex(folder)):
        found.append([top(index, text, vector) for text, vector in queries])
        index.close()
    shared = [len(graph & exact) / len(exact) for graph, exact in zip(*found, strict=True)]
    return sum(shared) / len(shared)


def top(index: EdgeIndex, text: str, vector: Vector) -> set[str]:
    return {hit.chunk.id for hit in index.search(vector, text, Filters(), TOP, 100)}


def peer_texts(chunks_file: Path) -> list[str]:
    return [chunk.text for chunk in read_chunks(chunks_file)]
