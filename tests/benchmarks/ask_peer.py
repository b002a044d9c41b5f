"""The peer of the document service: what one would write by hand with FastAPI, torch and numpy, on the same vectors."""

import os
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

from tests.benchmarks.ask_release import peer_texts
from tests.benchmarks.by_hand import Torch


class Query(BaseModel):
    query: str
    top_k: int = 5


class Found(BaseModel):
    text: str
    score: float


def create() -> FastAPI:
    model = Torch(Path(os.environ["BENCHMARK_MODEL"]), threads=1)
    vectors = np.load(os.environ["BENCHMARK_VECTORS"], allow_pickle=False)
    texts = peer_texts(Path(os.environ["BENCHMARK_CHUNKS"]))
    app = FastAPI()

    @app.get("/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/v1/search")
    def search(query: Query) -> list[Found]:
        scores = vectors @ model.embed([query.query])[0]
        best = np.argpartition(-scores, query.top_k)[: query.top_k]
        return [Found(text=texts[row], score=scores[row]) for row in best[np.argsort(-scores[best])]]

    return app
