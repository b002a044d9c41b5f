"""/predict, /batch_predict and /products: body to record, record to answer, answer to log."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from bentos.creative.model import Creative
from bentos.creative.schemas import describe
from bentos.kit.app import Operation, answer, create_app, request_id
from bentos.kit.config import IN_TIME
from bentos.kit.desk import Desk
from bentos.kit.handle import Handle
from bentos.kit.keys import caller
from bentos.kit.openapi import Described
from bentos.kit.queries import described, flag, whole
from bentos.kit.rows import Row
from tasks.creative.picking import Picker
from tasks.errors import Unavailable
from tasks.sources.products import products
from tasks.watching.log import Record

logger = logging.getLogger("penstock")

MOST = 1000  # made-up products in one answer
SEEDS = 2**31 - 1
LAST = 0.95  # of a request's time: work that is not done by then is given up, while there is time to say so
READING = (401, 403, 422, 429, 500, 503, 504)

Handler = Callable[[Request], Awaitable[Response]]


def app(desk: Desk[Creative]) -> FastAPI:
    def schemas(handle: Handle[Any] | None) -> Described:
        return describe(handle.model.served.schema if handle else [], desk.config.max_batch)

    judge, batch = "Judge a record, and draft for it", "Judge a list of records, and draft for them"
    operations = [
        Operation(
            "POST", "/predict", predict(desk), judge, "predict", "Judged", "Row",
            parameters=asked(True, "Draft a caption, hashtags and an ad; a model picks where the service has one"),
        ),
        Operation(
            "POST", "/batch_predict", batch_predict(desk), batch, "predict", "Batch", "Rows",
            parameters=asked(False, "Draft a caption, hashtags and an ad, always by template"),
        ),
        Operation(
            "GET", "/products", made_up, "Made-up products", "read", "Products", errors=READING,
            parameters=[
                described("count", "integer", 50, "How many", minimum=1, maximum=MOST),
                described("seed", "integer", 0, "The same seed, the same products", minimum=0, maximum=SEEDS),
            ],
        ),
    ]  # fmt: skip
    return create_app(desk, "Penstock creative service", operations, schemas)


def asked(words: bool, drafts: str) -> list[dict[str, Any]]:
    return [
        described("words", "boolean", words, "Tell which words moved the score; takes about ten predictions"),
        described("drafts", "boolean", True, drafts),
    ]


def predict(desk: Desk[Creative]) -> Handler:
    async def predict(request: Request) -> Response:
        words, drafts = flag(request, "words", True), flag(request, "drafts", True)
        body = await request.body()
        started = perf_counter()
        until = started + desk.config.timeout_s * LAST
        with desk.answering(request) as handle:
            row = handle.model.reader.row(body)
            (found,) = await desk.apart(handle.model.judged, [row], words, drafts, until)
            if drafts and (picker := handle.model.picker):
                left = desk.config.timeout_s * IN_TIME - (perf_counter() - started)
                found |= await picked(desk, handle.model, row, picker, left)
            await log(desk, request, handle, [row], [found], started)
        return answer(found | told(handle, request))

    return predict


def batch_predict(desk: Desk[Creative]) -> Handler:
    async def batch_predict(request: Request) -> Response:
        words, drafts = flag(request, "words", False), flag(request, "drafts", True)
        body = await request.body()
        started = perf_counter()
        until = started + desk.config.timeout_s * LAST
        with desk.answering(request) as handle:

            def work() -> tuple[list[Row], list[Row]]:
                rows = handle.model.reader.rows(body, desk.config.max_batch)
                return rows, handle.model.judged(rows, words, drafts, until)

            rows, found = await desk.apart(work)
            await log(desk, request, handle, rows, found, started)
        return answer({"predictions": found, **told(handle, request)})

    return batch_predict


async def picked(desk: Desk[Creative], model: Creative, row: Row, picker: Picker, left: float) -> Row:
    """A model's drafts; where there are none within `left` seconds, why those by template stay."""
    try:
        async with asyncio.timeout(left):
            found: Row = await desk.outside(model.picked, row, picker)
            return found
    except (Unavailable, TimeoutError) as error:
        logger.warning("Drafted by template: %s", str(error) or f"{picker.model} was not done in time")
        return {"drafts_note": f"{picker.model} gave no drafts, so these are by template; the log says why."}


async def made_up(request: Request) -> Response:
    count, seed = whole(request, "count", 50, 1, MOST), whole(request, "seed", 0, 0, SEEDS)
    return answer({"products": [one.record() for one in products(count, seed)]})


def told(handle: Handle[Creative], request: Request) -> dict[str, str]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"generated_at": now, "version": handle.version, "request_id": request_id(request)}


async def log(
    desk: Desk[Creative], request: Request, handle: Handle[Creative], rows: list[Row], found: list[Row], started: float
) -> None:
    """Count and log what was answered: facts of the texts always, the texts and drafts only by setting."""
    took = (perf_counter() - started) * 1000 / len(rows)
    key, path, number, text = caller(request.scope), request.scope["path"], request_id(request), desk.config.log_text
    release, version = handle.release.release, handle.version
    desk.metrics.rows.labels(version).inc(len(rows))
    records = [
        Record(
            "prediction", number, release, version, path, place, key.name, key.tenant,
            inputs=row if text else None,
            output=one if text else {name: one[name] for name in ("prediction", "probability")},
            features=handle.model.served.traits(row, bool(one.get("cut"))),
            latency_ms=took,
        )
        for place, (row, one) in enumerate(zip(rows, found, strict=True))
    ]  # fmt: skip
    await desk.record(records, asked=rows)
