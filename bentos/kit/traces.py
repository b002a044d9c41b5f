"""Spans of a share of the requests, sent to MLflow by OTLP/HTTP, and feedback attached to their traces.

A request waits for none of this: spans are made from measured times after the answer, and sent by a thread. The trace
id follows from the tenant and the request id, so that whichever replica is told of feedback knows the trace.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
from opentelemetry.trace import set_span_in_context

from bentos.kit.desk import Desk
from tasks.artifacts import canonical, sha256
from tasks.errors import PenstockError
from tasks.registry.rest import LOOPBACK, Mlflow
from tasks.watching.log import Record

logger = logging.getLogger("penstock")

ABSENT = ("RESOURCE_DOES_NOT_EXIST",)
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

    @property
    def attributes(self) -> dict[str, str]:
        values = {"mlflow.spanType": self.kind, "mlflow.spanInputs": self.inputs, "mlflow.spanOutputs": self.outputs}
        return {name: orjson.dumps(value).decode() for name, value in (values | self.more).items()}


def trace_number(tenant: str, request_id: str) -> int:
    """Request ids come from outside: a tenant that takes another's gets a trace of its own."""
    return int(sha256(canonical([tenant, request_id]))[:32], 16)


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
        whole.end(root.ended)

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
            trace = f"tr-{trace_number(told.tenant, told.request_id):032x}"
            with Mlflow(self.desk.config.mlflow_url) as mlflow:
                for one in assessments(told):
                    given = {"assessment": {"trace_id": trace} | one}
                    mlflow.call("POST", f"traces/{trace}/assessments", given, ABSENT, api="3.0")
        except PenstockError as error:
            logger.warning("Feedback on %s is in the log, but not at its trace: %s", told.request_id, error)
        finally:
            self._waiting -= 1


def assessments(told: Record) -> list[dict[str, Any]]:
    """Feedback as MLflow keeps it: -1 and 1 are thumbs, a label is what was expected."""
    now = datetime.now(UTC).isoformat()
    source = {"source_type": "HUMAN", "source_id": told.caller or "anyone"}
    facts: dict[str, Any] = {"source": source, "create_time": now, "last_update_time": now}
    if told.comment is not None:
        facts["rationale"] = told.comment
    found = []
    if told.rating is not None:
        value = told.rating > 0 if told.rating in (-1, 1) else told.rating
        found.append({"assessment_name": "user_rating", "feedback": {"value": value}})
    if told.label is not None:
        found.append({"assessment_name": "expected_response", "expectation": {"value": told.label}})
    if told.comment is not None and not found:
        found.append({"assessment_name": "user_comment", "feedback": {"value": told.comment}})
    return [facts | one for one in found]
