"""The peer of the tabular service: what one would write by hand with FastAPI, on the same predictor and schema."""

import os
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request, Response
from prometheus_client import Histogram, make_asgi_app

from bentos.kit.rows import row_type
from bentos.tabular.schemas import Answer
from tasks.tables.predictor import Predictor


class Prediction(Answer):
    version: str
    request_id: str


def create() -> FastAPI:
    predictor = Predictor.load(Path(os.environ["BENCHMARK_FOLDER"]))
    row: Any = row_type(predictor.schema)
    latency = Histogram("request_seconds", "Time to answer", ["path", "status"])
    app = FastAPI()
    app.mount("/metrics", make_asgi_app())

    @app.get("/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/predict")
    async def predict(body: Annotated[row, Body()], request: Request, response: Response) -> Prediction:
        started = time.perf_counter()
        request_id = request.headers.get("x-request-id") or uuid.uuid4().hex
        answer = predictor.predict([body])[0]
        response.headers["x-request-id"] = request_id
        latency.labels("/predict", "200").observe(time.perf_counter() - started)
        return Prediction(**answer, version="1", request_id=request_id)  # type: ignore[typeddict-item, no-any-return]

    return app
