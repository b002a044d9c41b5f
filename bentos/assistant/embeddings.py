"""/v1/embeddings: vectors of texts, by the embedding model that the release names."""

import base64
from typing import Any, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from bentos.assistant.bodies import ERRORS, body
from bentos.assistant.gauges import Gauges
from bentos.assistant.model import Assistant
from bentos.assistant.models import Models, unknown
from bentos.assistant.schemas import EmbeddingRequest
from bentos.assistant.vectors import Vectors
from bentos.kit.app import Handler, Operation, answer
from bentos.kit.desk import Desk
from bentos.kit.leaving import while_there
from tasks.retrieval.store import Vector

AT_ONCE = 16  # texts between two looks at whether anybody still waits


class Embedding(BaseModel):
    """A unit vector: numbers, or base64 of little-endian 32-bit floats."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """The vectors in the order of the texts; `model` is the embedding model's own name."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
    version: str


def operations(desk: Desk[Assistant], models: Models, gauges: Gauges) -> list[Operation]:
    handler = embed(desk, models, gauges)
    return [
        Operation(
            "POST", "/v1/embeddings", handler, "Embed texts", "ask", "EmbeddingList", "EmbeddingRequest", errors=ERRORS
        )
    ]


def embed(desk: Desk[Assistant], models: Models, gauges: Gauges) -> Handler:
    async def embed(request: Request) -> Response:
        asked = await body(request, EmbeddingRequest)
        with desk.serving() as handle:
            vectors, version = handle.model.vectors, handle.version
            if asked.model != vectors.name and not models.knows(asked.model):
                raise unknown(asked.model)
            found, tokens = await while_there(request, embedded(desk, vectors, asked.texts))
        gauges.tokens.labels("embedding", version).inc(tokens)
        told = [shown(vector, asked.encoding_format == "base64") for vector in found]
        data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(told)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        facts = {"model": vectors.name, "usage": usage, "version": version}
        return answer({"object": "list", "data": data} | facts)

    return embed


async def embedded(desk: Desk[Assistant], vectors: Vectors, texts: list[str]) -> tuple[list[Vector], int]:
    found: list[Vector] = []
    tokens = 0
    for start in range(0, len(texts), AT_ONCE):
        some, counted = await desk.apart(vectors.of, texts[start : start + AT_ONCE])
        found += some
        tokens += counted
    return found, tokens


def shown(vector: Vector, packed: bool) -> Any:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode() if packed else vector.tolist()
