"""Spans of a share of the requests, sent to MLflow by OTLP/HTTP, and feedback attached to their traces.

A request waits for none of this: spans are made from measured times after the answer, and sent by a thread. The trace
id follows from the tenant and the request id, so that whichever replica is told of feedback knows the trace.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import orjson
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import StatusCode, set_span_in_context
from starlette.requests import Request

from bentos.kit.config import loading
from bentos.kit.desk import Desk
from bentos.kit.errors import REQUEST_ID, problem_of
from bentos.kit.handle import Handle
from bentos.kit.keys import caller
from bentos.kit.split import covered
from tasks.errors import PenstockError
from tasks.registry.rest import LOOPBACK, Mlflow
from tasks.watching.assessments import ABSENT, attach, of_feedback, trace_number
from tasks.watching.costs import Prices, cost, read_prices
from tasks.watching.log import Record

logger = logging.getLogger("penstock")

DELAY_MS = 2000
SEND_S = 5.0
FLUSH_MS = 3000
WAITING = 100  # pieces of feedback; more are left to the prediction log alone


@dataclass(frozen=True)
class Span:
    """One measured part of an answer; times in nanoseconds since the epoch."""

    name: str
    kind: str
    started: int
    ended: int
    inputs: Any
    outputs: Any
    more: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def attributes(self) -> dict[str, str]:
        values = {"mlflow.spanType": self.kind, "mlflow.spanInputs": self.inputs, "mlflow.spanOutputs": self.outputs}
        return {name: orjson.dumps(value).decode() for name, value in (values | self.more).items()}


class RequestIds(RandomIdGenerator):
    """Gives the trace id that was laid ready; one thread makes spans."""

    def __init__(self) -> None:
        self.ready = 0

    def generate_trace_id(self) -> int:
        return self.ready


class Exporter(SpanExporter):
    """OTLP to the experiment of the release, which is looked up when there is something to send."""

    def __init__(self, url: str, release: str) -> None:
        self.url, self.release = url.rstrip("/"), release
        self._inner: OTLPSpanExporter | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            self._inner = self._inner or self._connected()
        except PenstockError as error:
            logger.warning("%d spans are lost: %s", len(spans), error)
            return SpanExportResult.FAILURE
        return self._inner.export(spans)

    def _connected(self) -> OTLPSpanExporter:
        with Mlflow(self.url) as mlflow:
            headers = {"x-mlflow-experiment-id": experiment(mlflow, self.release)}
            session = requests.Session()
            session.trust_env = mlflow.http.base_url.host not in LOOPBACK
        return OTLPSpanExporter(f"{self.url}/v1/traces", headers=headers, timeout=SEND_S, session=session)

    def shutdown(self) -> None:
        if self._inner is not None:
            self._inner.shutdown()


def experiment(mlflow: Mlflow, name: str) -> str:
    """The id of the experiment, made where there is none."""
    known = mlflow.call("GET", "experiments/get-by-name", {"experiment_name": name}, ABSENT)
    if known:
        return str(known["experiment"]["experiment_id"])
    return str(mlflow.call("POST", "experiments/create", {"name": name})["experiment_id"])


def of_request(handle: Handle[Any], request: Request) -> dict[str, Any]:
    """The attributes by which a trace is found: release, version and request id."""
    facts = {"release": handle.release.release, "version": handle.version, "request_id": request.scope[REQUEST_ID]}
    return {f"penstock.{name}": value for name, value in facts.items()}


def said(error: BaseException) -> str:
    """What a failed trace tells: as much as the client is told, and the kind of what nobody raised on purpose."""
    if not isinstance(error, Exception):
        return "given up: its time was over, or the client left"
    problem = problem_of(error)
    return f"{problem.status} {type(error).__name__}" if problem.status == 500 else f"{problem.status} {problem}"


class Traces:
    """The traces of one service; its settings are read when the first is made."""

    def __init__(self, desk: Desk[Any]) -> None:
        self.desk = desk
        desk.heard = self.attach
        desk.ends.append(self.close)
        self._ids = RequestIds()
        self._waiting = 0

    def chosen(self, tenant: str, request_id: str) -> bool:
        """Whether the request is in the share; the same for all replicas."""
        return trace_number(tenant, request_id) < self.desk.config.trace_share * 2**128

    def send(self, tenant: str, request_id: str, root: Span, parts: Sequence[Span]) -> None:
        """Hand a trace over; called by the event loop only."""
        tracer = self._provider.get_tracer("penstock")
        self._ids.ready = trace_number(tenant, request_id)
        whole = tracer.start_span(root.name, start_time=root.started, attributes=root.attributes)
        for part in parts:
            context = set_span_in_context(whole)
            span = tracer.start_span(part.name, context=context, start_time=part.started, attributes=part.attributes)
            span.end(part.ended)
        if root.error is not None:
            whole.set_status(StatusCode.ERROR, root.error)
        whole.end(root.ended)

    @contextmanager
    def failing(self, request: Request, failed: Callable[[], Span]) -> Iterator[None]:
        """Trace what fails inside, as the span that `failed` gives; not where the champion answers for a trial."""
        try:
            yield
        except BaseException as error:
            key, number = caller(request.scope), request.scope[REQUEST_ID]
            if self.chosen(key.tenant, number) and not covered(request, error):
                self.send(key.tenant, number, replace(failed(), error=said(error)), ())
            raise

    def cost(self, features: Mapping[str, Any], latency_ms: float | None) -> dict[str, Any]:
        """The attributes that tell an answer's cost; none where there is no price for it."""
        prices = self._prices
        found = cost(features, latency_ms, prices) if prices else None
        if prices is None or found is None:
            return {}
        return {"penstock.cost": found.total, "penstock.currency": prices.currency}

    def attach(self, told: Record) -> None:
        """Attach feedback to the trace of its request, where that was traced."""
        if self.chosen(told.tenant, told.request_id) and self._waiting < WAITING:
            self._waiting += 1
            self._thread.submit(self._attach, told)

    def close(self) -> None:
        if "_thread" in vars(self):
            self._thread.shutdown(wait=False, cancel_futures=True)
        if "_provider" in vars(self):
            self._provider.force_flush(FLUSH_MS)
            self._provider.shutdown()

    def usage(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """What MLflow adds up of a language model: its tokens, its name, and its cost, which MLflow shows in USD."""
        read, wrote, llm = (features.get(name) for name in ("prompt_tokens", "completion_tokens", "llm"))
        if read is None or wrote is None:
            return {}
        usage = {"input_tokens": read, "output_tokens": wrote, "total_tokens": read + wrote}
        more = {"mlflow.chat.tokenUsage": usage} | ({"mlflow.llm.model": llm} if llm else {})
        priced = cost(features, None, self._prices) if llm and self._prices else None
        if priced is None or self._prices is None or self._prices.currency != "USD":
            return more
        told = {"input_cost": priced.input, "output_cost": priced.output, "total_cost": priced.total}
        return more | {"mlflow.llm.cost": told}

    @cached_property
    def _prices(self) -> Prices | None:
        try:
            return read_prices(loading().folders)
        except PenstockError as error:
            self.desk.reasons["prices"] = f"traces tell no cost: {error}"
            return None

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="penstock-feedback")

    @cached_property
    def _provider(self) -> TracerProvider:
        config, release = self.desk.config, self.desk.serving().release.release
        resource = Resource({"service.name": release, "service.instance.id": config.replica})
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        exporter = Exporter(config.mlflow_url, release)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=DELAY_MS))
        return provider

    def _attach(self, told: Record) -> None:
        """The trace may still wait to be sent; one that MLflow does not have is no error: ids come from outside."""
        try:
            if "_provider" in vars(self):
                self._provider.force_flush(FLUSH_MS)
            with Mlflow(self.desk.config.mlflow_url) as mlflow:
                attach(mlflow, told.tenant, told.request_id, of_feedback(told))
        except PenstockError as error:
            logger.warning("Feedback on %s is in the log, but not at its trace: %s", told.request_id, error)
        finally:
            self._waiting -= 1
