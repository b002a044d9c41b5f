"""What is kept of a question: derived facts always, its text only by setting; a share of them as traces in MLflow."""

from dataclasses import dataclass, field, replace
from time import perf_counter, time_ns
from typing import Any

from starlette.requests import Request

from bentos.kit.app import request_id
from bentos.kit.desk import Desk
from bentos.kit.handle import Handle
from bentos.kit.keys import caller
from bentos.kit.traces import Span, Traces, of_request
from bentos.rag.model import Rag
from bentos.rag.schemas import Question
from tasks.documents.language import SHORT, language
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
    said = {"answer": answer.answer, "asked": answer.asked, "read": answer.read} if text else {}
    record = Record(
        "prediction", number, release, handle.version, asked.request.scope["path"], 0, key.name, key.tenant,
        inputs=asking if text else None,
        output={"answered": answer.answered, "documents": cited(answer)} | said,
        features=features(asked.question, answer, handle.model),
        latency_ms=took,
    )  # fmt: skip
    await desk.record([record], asked=[asking])
    if traces.chosen(key.tenant, number):
        trace(traces, record, asked, answer, handle, text)


def features(question: Question, answer: Answer, model: Rag) -> dict[str, Any]:
    """Facts of a question and its answer that tell drift and cost without telling either."""
    return {
        "question_chars": len(question.text),
        "turns": len(question.messages or [1]),
        "language": language(question.text, SHORT),
        "answered": answer.answered,
        "answer_chars": len(answer.answer),
        "hits": answer.hits,
        "confidence": answer.confidence,
        "cited": len(answer.citations),
        "streamed": question.stream,
        "llm": model.llm if answer.calls else None,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
    }


def trace(traces: Traces, record: Record, asked: Asked, answer: Answer, handle: Handle[Rag], text: bool) -> None:
    """The question, the chunks that were retrieved, and what was written from them."""
    ended, found = time_ns(), asked.began + int(answer.search_ms * 1e6)
    told: dict[str, Any] = {"answered": answer.answered} | ({"answer": answer.answer} if text else {})
    told["citations"] = [one.model_dump(include={"number", "document", "page"}) for one in answer.citations]
    facts = record.features or {}
    root = whole(asked, handle, text)
    more = root.more | facts | traces.cost(facts, record.latency_ms)
    query = {"query": answer.asked} if text else root.inputs
    prompt = {"messages": handle.model.prompt(answer)} if text and answer.calls else root.inputs
    parts = [
        Span("retrieve", "RETRIEVER", asked.began, found, query, retrieved(answer, text)),
        Span("answer", "LLM", found, ended, prompt, told, traces.usage(facts)),
    ]
    traces.send(record.tenant, record.request_id, replace(root, ended=ended, outputs=told, more=more), parts)


def whole(asked: Asked, handle: Handle[Rag], text: bool) -> Span:
    """The span of a question as far as it is known before its answer."""
    said: dict[str, Any] = {"question_chars": len(asked.question.text)}
    if text:
        said = {"question": asked.question.text}
        said |= {"messages": [one.model_dump() for one in asked.question.messages]} if asked.question.messages else {}
    return Span("ask", "CHAIN", asked.began, time_ns(), said, {}, of_request(handle, asked.request))


def retrieved(answer: Answer, text: bool) -> list[dict[str, Any]]:
    """All chunks that the answer was written from, as MLflow shows documents."""
    return [
        {
            "page_content": hit.chunk.text if text else "",
            "id": hit.chunk.id,
            "metadata": {"doc_uri": hit.chunk.document, "page": hit.chunk.page, "score": hit.score},
        }
        for hit in answer.found
    ]
