"""What is kept of a question: derived facts always, its text only by setting; a share of them as traces in MLflow."""

from dataclasses import dataclass, field
from time import perf_counter, time_ns
from typing import Any

from starlette.requests import Request

from bentos.kit.app import request_id
from bentos.kit.desk import Desk
from bentos.kit.handle import Handle
from bentos.kit.keys import caller
from bentos.kit.traces import Span, Traces
from bentos.rag.model import Rag
from bentos.rag.schemas import Question
from tasks.documents.language import language
from tasks.retrieval.answers import Answer, Ask
from tasks.retrieval.served import cited
from tasks.watching.log import Record


@dataclass
class Asked:
    """One question on its way to the log."""

    request: Request
    question: Question
    ask: Ask
    started: float = field(default_factory=perf_counter)
    began: int = field(default_factory=time_ns)


async def keep(desk: Desk[Rag], traces: Traces, handle: Handle[Rag], asked: Asked, answer: Answer) -> None:
    """Log the answer, offer the question to the shadow, and trace it if it is in the share."""
    took = (perf_counter() - asked.started) * 1000
    key, number = caller(asked.request.scope), request_id(asked.request)
    release, text = handle.release.release, desk.config.log_text
    desk.metrics.rows.labels(handle.version).inc()
    desk.metrics.unanswered.labels(handle.version).inc(not answer.answered)
    desk.metrics.citations.labels(handle.version).inc(len(answer.citations))
    asking = asked.ask.model_dump(mode="json", exclude_none=True)
    record = Record(
        "prediction", number, release, handle.version, asked.request.scope["path"], 0, key.name, key.tenant,
        inputs=asking if text else None,
        output={"answered": answer.answered, "documents": cited(answer)} | ({"answer": answer.answer} if text else {}),
        features=features(asked.question, answer),
        latency_ms=took,
    )  # fmt: skip
    await desk.record([record], asked=[asking])
    if traces.chosen(key.tenant, number):
        trace(traces, record, asked, answer, text)


def features(question: Question, answer: Answer) -> dict[str, Any]:
    """Facts of a question and its answer that tell drift without telling either."""
    return {
        "question_chars": len(question.text),
        "turns": len(question.messages or [1]),
        "language": language(question.text),
        "answered": answer.answered,
        "answer_chars": len(answer.answer),
        "hits": answer.hits,
        "confidence": answer.confidence,
        "cited": len(answer.citations),
        "streamed": question.stream,
    }


def trace(traces: Traces, record: Record, asked: Asked, answer: Answer, text: bool) -> None:
    ended, found = time_ns(), asked.began + int(answer.search_ms * 1e6)
    said = {"question": asked.question.text} if text else {"question_chars": len(asked.question.text)}
    documents = [
        {"page_content": one.snippet if text else "", "id": str(one.number),
         "metadata": {"doc_uri": one.document, "page": one.page, "score": one.score}}
        for one in answer.citations
    ]  # fmt: skip
    told = {"answered": answer.answered} | ({"answer": answer.answer} if text else {})
    facts = {
        "penstock.release": record.release,
        "penstock.version": record.version,
        "penstock.request_id": record.request_id,
    }
    more = facts | (record.features or {})
    root = Span("ask", "CHAIN", asked.began, ended, said, told, more)
    parts = [
        Span("retrieve", "RETRIEVER", asked.began, found, said, documents),
        Span("answer", "LLM", found, ended, said, told),
    ]
    traces.send(record.tenant, record.request_id, root, parts)
