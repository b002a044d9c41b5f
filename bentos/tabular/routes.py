"""/predict, /batch_predict and /explain: body to row, row to answer, answer to log."""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from bentos.kit.app import Operation, answer, create_app, request_id
from bentos.kit.desk import Desk
from bentos.kit.handle import Handle
from bentos.kit.keys import caller
from bentos.kit.openapi import Described
from bentos.kit.rows import Row
from bentos.tabular.model import Tabular
from bentos.tabular.schemas import describe
from tasks.watching.log import Record

INLINE_BYTES = 8 << 10  # a larger batch goes to a thread: short requests are answered meanwhile

Handler = Callable[[Request], Awaitable[Response]]


def app(desk: Desk[Tabular]) -> FastAPI:
    def schemas(handle: Handle[Any] | None) -> Described:
        return describe(handle.model.columns if handle else [], desk.config.max_batch)

    operations = [
        Operation("POST", "/predict", predict(desk), "Predict one row", "predict", "Prediction", "Row"),
        Operation("POST", "/batch_predict", batch_predict(desk), "Predict a list of rows", "predict", "Batch", "Rows"),
        Operation("POST", "/explain", explain(desk), "Predict one row and say why", "predict", "Explanation", "Row"),
    ]
    return create_app(desk, "Penstock tabular service", operations, schemas)


def predict(desk: Desk[Tabular]) -> Handler:
    async def predict(request: Request) -> Response:
        body = await request.body()
        with desk.answering(request) as handle:
            started = perf_counter()
            row = handle.model.reader.row(body)
            found = handle.model.answer(row)
            await log(desk, request, handle, [row], [found], started)
        return answer({**found, "version": handle.version, "request_id": request_id(request)})

    return predict


def batch_predict(desk: Desk[Tabular]) -> Handler:
    async def batch_predict(request: Request) -> Response:
        body = await request.body()
        with desk.answering(request) as handle:
            started = perf_counter()
            work = handle.model.answers
            most = desk.config.max_batch
            rows, found = work(body, most) if len(body) <= INLINE_BYTES else await desk.apart(work, body, most)
            await log(desk, request, handle, rows, found, started)
        return answer({"predictions": found, "version": handle.version, "request_id": request_id(request)})

    return batch_predict


def explain(desk: Desk[Tabular]) -> Handler:
    async def explain(request: Request) -> Response:
        body = await request.body()
        with desk.answering(request) as handle:
            found = await desk.apart(handle.model.predictor.explain, handle.model.reader.row(body))
        return answer({**found, "version": handle.version, "request_id": request_id(request)})

    return explain


async def log(
    desk: Desk[Tabular], request: Request, handle: Handle[Tabular], rows: list[Row], found: list[Row], started: float
) -> None:
    """Count and log what was answered; the latency is the model's and the validation's, over the rows."""
    took = (perf_counter() - started) * 1000 / len(rows)
    key, path, asked = caller(request.scope), request.scope["path"], request_id(request)
    release, version = handle.release.release, handle.version
    desk.metrics.rows.labels(version).inc(len(rows))
    records = []
    for number, (row, one) in enumerate(zip(rows, found, strict=True)):
        if "unseen" in one:
            desk.metrics.unseen.inc(len(one["unseen"]))
        records.append(
            Record("prediction", asked, release, version, path, number, key.name, key.tenant, row, one, latency_ms=took)
        )
    await desk.record(records)
