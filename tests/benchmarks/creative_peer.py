"""The peer of the creative service: what one would write by hand with FastAPI and `transformers.pipeline`."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

from tasks.creative.classifier import CARD, Card
from tasks.creative.texts import rendered
from tasks.tables.link import link


class Record(BaseModel):
    title: str
    category: str
    description: str
    price: float


class Judged(BaseModel):
    prediction: bool
    probability: float


def create() -> FastAPI:
    """The text of a record and the calibration are ours, so that the same is asked and answered."""
    import torch
    from transformers import AutoTokenizer, pipeline

    torch.set_num_threads(1)
    folder = Path(os.environ["BENCHMARK_ENCODER"])
    words = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    judge: Any = pipeline("text-classification", model=str(folder), tokenizer=words, device=-1, top_k=None)
    card = Card.model_validate_json((Path(os.environ["BENCHMARK_RELEASE"]) / CARD).read_bytes())
    longest = int(os.environ["BENCHMARK_TOKENS"])
    app = FastAPI()

    @app.get("/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/predict")
    def predict(record: Record) -> Judged:
        text = rendered(record.model_dump(), card.texts)
        (said,) = judge([text], truncation=True, max_length=longest)
        shares = {one["label"]: one["score"] for one in said}
        odds = np.log(shares["LABEL_1"] / shares["LABEL_0"])
        probability = float(link("binary", card.slope * odds + card.shift))
        return Judged(prediction=probability >= 0.5, probability=probability)

    return app
