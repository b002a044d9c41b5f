"""The vectors of chunks: what was embedded once is kept by text and model, so that a run embeds only what is new."""

import io
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tasks.artifacts import Artifact, Store, current, sha256
from tasks.documents.chunk_file import read_chunks
from tasks.errors import NotFound
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.store import Vector

SEGMENT = 256  # texts: a killed run loses at most these, some ten seconds of work
PAUSE = 10.0  # seconds between two lines of progress in a log
logger = logging.getLogger("penstock.retrieval")


class Vectors(BaseModel):
    """`artifact`: a .npy [count, dim] in the order of the chunks whose digest is `chunks`; `model` is the weights'."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    chunks: str
    model: str
    count: int
    dim: int
    embedded_now: int
    seconds: float


def embed_chunks(chunks: Artifact, weights: Artifact) -> Vectors:
    """Embed the chunks that this model has not seen yet; after a kill it goes on where its last segment ended."""
    start, store = time.monotonic(), current()
    rows, new = embedded([chunk.embedded for chunk in read_chunks(store.path(chunks))], weights)
    seconds = round(time.monotonic() - start, 1)
    logger.info("%d of %d chunks embedded now in %.1f s", new, len(rows), seconds)
    return Vectors(
        artifact=store.put_bytes("vectors", _npy(rows), ".npy"),
        chunks=chunks.digest,
        model=weights.digest,
        count=len(rows),
        dim=rows.shape[1],
        embedded_now=new,
        seconds=seconds,
    )


def embedded(texts: Sequence[str], weights: Artifact) -> tuple[NDArray[np.float32], int]:
    """The vectors [n, dim] of texts, and how many of them this model had not seen yet; they are kept."""
    store, keys = current(), [key_of(text) for text in texts]
    found = kept(store, weights.digest)
    new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
    if new:
        found |= _embed(store, weights, new)
    dim = int(weights.meta["dim"])
    return np.stack([found[key] for key in keys]) if keys else np.zeros((0, dim), dtype=np.float32), len(new)


def key_of(text: str) -> str:
    """What a text's vector is kept under."""
    return sha256(text.encode())


def kept(store: Store, model: str) -> dict[str, Vector]:
    """All vectors kept for a model, by key; a segment that is not as it was written is left out and told."""
    found: dict[str, Vector] = {}
    for name, data in _segments(store, model):
        if name.endswith(f"/{sha256(data)}.npz"):
            found |= _unpacked(data)
        else:
            logger.warning("%s was altered: its texts are embedded again", name)
    return found


def drop(store: Store, model: str, keys: Set[str]) -> int:
    """Forget the vectors of these keys: their segments are written again without them, and an altered one goes as a
    whole. The number of vectors that went."""
    gone = 0
    for name, data in _segments(store, model):
        if not name.endswith(f"/{sha256(data)}.npz"):
            store.remove(name)
            continue
        held = _unpacked(data)
        rest = {key: vector for key, vector in held.items() if key not in keys}
        if len(rest) < len(held):
            _keep(store, model, rest)
            store.remove(name)
            gone += len(held) - len(rest)
    return gone


def _segments(store: Store, model: str) -> Iterator[tuple[str, bytes]]:
    """The segments of a model; what somebody drops after it was listed is none."""
    for name in store.list(_folder(model)):
        with suppress(NotFound):
            yield name, store.read(name)


def _embed(store: Store, weights: Artifact, new: Mapping[str, str]) -> dict[str, Vector]:
    embedder = Embedder(store.path(weights), weights.digest, threads=len(os.sched_getaffinity(0)))
    pairs = zip(new, _shown(embedder.passages(list(new.values())), len(new)), strict=True)
    found: dict[str, Vector] = {}
    while part := dict(islice(pairs, SEGMENT)):
        _keep(store, weights.digest, part)
        found |= part
    return found


def _keep(store: Store, model: str, part: Mapping[str, Vector]) -> None:
    if part:
        packed = io.BytesIO()
        keys = np.frombuffer(bytes.fromhex("".join(part)), dtype=np.uint8).reshape(len(part), 32)
        np.savez(packed, keys=keys, vectors=np.stack(list(part.values())))
        data = packed.getvalue()
        store.write(f"{_folder(model)}/{sha256(data)}.npz", data)  # over one that was altered, too


def _unpacked(data: bytes) -> dict[str, Vector]:
    with np.load(io.BytesIO(data), allow_pickle=False) as segment:
        keys, vectors = segment["keys"].tobytes().hex(), segment["vectors"]
    return {keys[64 * row : 64 * row + 64]: vector for row, vector in enumerate(vectors)}


def _folder(model: str) -> str:
    return f"embeddings/{model}"


def _npy(rows: Vector) -> bytes:
    written = io.BytesIO()
    np.save(written, rows, allow_pickle=False)
    return written.getvalue()


def _shown(vectors: Iterator[Vector], total: int) -> Iterator[Vector]:
    """Pass the vectors on and show how far they are: a bar on a terminal, else a line in the log now and then."""
    console, start = Console(stderr=True), time.monotonic()
    columns = (TextColumn("embedding"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    told = start
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, rate="")
        for number, vector in enumerate(vectors, start=1):
            now = time.monotonic()
            rate = f"{number / max(now - start, 1e-9):.1f} texts/s"
            bar.update(task, completed=number, rate=rate)
            if not console.is_terminal and (now - told >= PAUSE or number == total):
                logger.info("embedded %d of %d texts (%s)", number, total, rate)
                told = now
            yield vector
