"""What is kept of an answer: derived facts always, its text only by setting; a share of them as traces in MLflow."""

from dataclasses import replace
from time import time_ns
from typing import Any

from bentos.assistant.writing import Writing
from bentos.kit.app import request_id
from bentos.kit.desk import Desk
from bentos.kit.keys import caller
from bentos.kit.traces import Span, Traces, of_request
from tasks.documents.language import SHORT, language
from tasks.watching.log import Record


async def keep(desk: Desk[Any], traces: Traces, writing: Writing) -> None:
    """Log the answer, offer the conversation to the shadow, and trace it if it is in the share."""
    key, number, text = caller(writing.request.scope), request_id(writing.request), desk.config.log_text
    handle = writing.handle
    desk.metrics.rows.labels(handle.version).inc()
    asking = asked(writing)
    finishes = [choice.end.finish for choice in writing.choices if choice.end]
    record = Record(
        "prediction", number, handle.release.release, handle.version, writing.request.scope["path"], 0,
        key.name, key.tenant,
        inputs=asking if text else None,
        output={"finish_reason": finishes} | ({"text": [choice.text for choice in writing.choices]} if text else {}),
        features=features(writing),
        latency_ms=writing.took_s * 1000,
    )  # fmt: skip
    shadowed = handle is desk.handle and "messages" in asking
    await desk.record([record], asked=[asking | {"private": not text}], shadowed=shadowed)
    if traces.chosen(key.tenant, number):
        trace(traces, record, writing, text)


def asked(writing: Writing) -> dict[str, Any]:
    if isinstance(writing.said, str):
        return {"prompt": writing.said}
    return {"messages": [one.model_dump() for one in writing.said]}


def features(writing: Writing) -> dict[str, Any]:
    """Facts of a conversation and its answers that tell drift and cost without telling either."""
    said, first = writing.said, writing.first_s
    question = said if isinstance(said, str) else said[-1].content
    return {
        "model": writing.model,
        "turns": 1 if isinstance(said, str) else len(said),
        "question_chars": len(question),
        "language": language(question, SHORT),
        "prompt_tokens": writing.prompt_tokens,
        "completion_tokens": writing.tokens,
        "answer_chars": sum(len(choice.text) for choice in writing.choices),
        "choices": len(writing.choices),
        "why": [choice.end.why if choice.end else None for choice in writing.choices],
        "first_token_ms": None if first is None else first * 1000,
        "temperature": writing.samplings[0].temperature,
        "streamed": writing.streamed,
        "llm": writing.handle.model.llm,
    }


def trace(traces: Traces, record: Record, writing: Writing, text: bool) -> None:
    facts, root = record.features or {}, whole(writing, text)
    first = writing.began + int((writing.first_s or 0) * 1e9)
    more = root.more | traces.usage(facts) | traces.cost(facts, record.latency_ms)
    parts = [
        Span("first token", "LLM", root.started, first, root.inputs, {}),
        Span("the rest", "LLM", first, root.ended, {}, record.output),
    ]
    traces.send(record.tenant, record.request_id, replace(root, outputs=record.output, more=more), parts)


def whole(writing: Writing, text: bool) -> Span:
    """The span of an answer, as far as it is written."""
    facts = features(writing)
    said = asked(writing) if text else {"question_chars": facts["question_chars"]}
    written = {"text": [choice.text for choice in writing.choices]} if text else {}
    more = facts | of_request(writing.handle, writing.request)
    return Span("chat", "CHAT_MODEL", writing.began, time_ns(), said, written, more)
