"""What is kept of an answer: derived facts always, its text only by setting; a share of them as traces in MLflow."""

from time import time_ns
from typing import Any

from bentos.assistant.writing import Writing
from bentos.kit.app import request_id
from bentos.kit.desk import Desk
from bentos.kit.keys import caller
from bentos.kit.traces import Span, Traces
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
    """Facts of a conversation and its answers that tell drift without telling either."""
    said, first = writing.said, writing.first_s
    return {
        "model": writing.model,
        "turns": 1 if isinstance(said, str) else len(said),
        "question_chars": len(said if isinstance(said, str) else said[-1].content),
        "prompt_tokens": writing.prompt_tokens,
        "completion_tokens": writing.tokens,
        "answer_chars": sum(len(choice.text) for choice in writing.choices),
        "choices": len(writing.choices),
        "why": [choice.end.why if choice.end else None for choice in writing.choices],
        "first_token_ms": None if first is None else first * 1000,
        "temperature": writing.samplings[0].temperature,
        "streamed": writing.streamed,
    }


def trace(traces: Traces, record: Record, writing: Writing, text: bool) -> None:
    ended, facts = time_ns(), record.features or {}
    first = writing.began + int((writing.first_s or 0) * 1e9)
    said = asked(writing) if text else {"question_chars": facts["question_chars"]}
    more = facts | {
        "penstock.release": record.release,
        "penstock.version": record.version,
        "penstock.request_id": record.request_id,
        "mlflow.chat.tokenUsage": {
            "input_tokens": writing.prompt_tokens,
            "output_tokens": writing.tokens,
            "total_tokens": writing.prompt_tokens + writing.tokens,
        },
    }
    root = Span("chat", "CHAT_MODEL", writing.began, ended, said, record.output, more)
    parts = [
        Span("first token", "LLM", writing.began, first, said, {}),
        Span("the rest", "LLM", first, ended, {}, record.output),
    ]
    traces.send(record.tenant, record.request_id, root, parts)
