"""What is refused and how: in the one schema, by name, with a status that clients know."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bentos.assistant.routes import INLINE_CHARS
from tests.bentos.assistant.conftest import ASKED, NOISE, Served
from tests.bentos.test_follow import until
from tests.bentos.test_predict import refused

CHAT = "/v1/chat/completions"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
PICTURE = [{"type": "image_url", "image_url": {"url": "data:"}}]
# what is sent beside a good model and good messages, and the field that the refusal names
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": [{"role": "tool", "content": "a"}]}, "role"),
    ({"messages": [{"role": "user", "content": None}]}, "content"),
    ({"messages": [{"role": "user", "content": PICTURE}]}, "content"),
    ({"messages": [{"role": "user", "content": "a\0b"}]}, "content"),
    ({"messages": [{"role": "assistant", "content": "a", "tool_calls": [TOOL]}]}, "tool_calls"),
    ({"messages": [{}] * 100_000}, "messages"),
    ({"temperature": -1}, "temperature"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": float("nan")}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"top_p": 1.1}, "top_p"),
    ({"n": 1000}, "n"),
    ({"n": 0}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"stop": ["a"] * 64}, "stop"),
    ({"stop": ""}, "stop"),
    ({"seed": 2**70}, "seed"),
    ({"frequency_penalty": 3}, "frequency_penalty"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size"),
    ({"stream_options": {"include_usage": True}}, "stream"),
    ({"tools": [TOOL]}, "tools"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"logprobs": True}, "logprobs"),
    ({"logit_bias": {"1": 5}}, "logit_bias"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"audio": {"voice": "a"}}, "audio"),
    ({"reasoning_effort": "high"}, "reasoning_effort"),
    ({"colour": "red"}, "colour"),
]
HARMLESS = {
    "user": "u1", "store": True, "metadata": {"a": "b"}, "parallel_tool_calls": True, "service_tier": "auto",
    "safety_identifier": "s", "prompt_cache_key": "k", "tools": [], "tool_choice": "auto", "logprobs": False,
    "response_format": {"type": "text"}, "modalities": ["text"], "logit_bias": {}, "functions": None, "stop": None,
    "seed": None, "temperature": None, "stream": None, "max_completion_tokens": 4,
}  # fmt: skip


def test_what_cannot_be_is_refused_by_name(service: Served) -> None:
    for more, name in WRONG:
        body = json.dumps({"model": "course-chat", "messages": ASKED} | more)
        error = refused(service.post(CHAT, content=body), 422, "bad_input")
        assert name in error["message"], more
        assert len(error["details"]) <= 20
    assert service.get("/ready").json()["status"] == "ready"


def test_harmless_fields_are_accepted_and_told(service: Served) -> None:
    answer = service.post(CHAT, json={"model": "course-chat", "messages": ASKED} | HARMLESS)
    assert answer.status_code == 200, answer.text
    shown = service.get("/docs").text
    assert all(name in shown for name in ("parallel_tool_calls", "service_tier", "response_format"))


def test_bodies_that_are_none(service: Served) -> None:
    for body in (b"{not json", b"", b'{"messages": [{"role": "user", "content": "\\ud800"}]}'):
        refused(service.post(CHAT, content=body), 400, "not_json")
    refused(service.post(CHAT, content=b"[]"), 422, "bad_input")
    refused(service.post(CHAT, content=b"a", headers={"content-type": "text/plain"}), 415, "unsupported_media_type")
    refused(service.post(CHAT, content=b" " * (5 << 20)), 413, "too_large")
    refused(service.get(CHAT), 405, "method_not_allowed")


def test_a_prompt_beyond_the_context_is_told_in_numbers(service: Served) -> None:
    for text in ("word " * 500, "x" * (1 << 20)):
        asked = {"model": "course-chat", "messages": [{"role": "user", "content": text}], "max_tokens": 9}
        for path, body in ((CHAT, asked), ("/v1/completions", {"model": "course-chat", "prompt": text})):
            error = refused(service.post(path, json=body), 400, "context_length_exceeded")
            assert "256" in error["message"] and "tokens" in error["message"]


def test_unknown_models(service: Served) -> None:
    for name in ("no-such", "course-chat-challenger", "course-chat-v1", "course-chat-", "-base"):
        body = {"model": name, "messages": ASKED}
        assert repr(name) in refused(service.post(CHAT, json=body), 404, "model_not_found")["message"]


def test_text_and_embeddings_are_bounded_too(service: Served) -> None:
    for more in ({"prompt": ""}, {"prompt": "a", "echo": True}, {"prompt": "a", "logprobs": 3}, {"prompt": [1, 2]}):
        refused(service.post("/v1/completions", json={"model": "course-chat"} | more), 422, "bad_input")
    for more in ({"input": []}, {"input": ""}, {"input": ["a"] * 257}, {"input": [1]}, {"input": "a", "dimensions": 3}):
        refused(service.post("/v1/embeddings", json={"model": "course-chat"} | more), 422, "bad_input")


def test_an_answer_has_the_services_own_limit(start: Any) -> None:
    assert start(max_tokens=3).create(max_tokens=1000).usage.completion_tokens == 3


def test_a_slow_answer_is_given_up(start: Any) -> None:
    service = start(generation_s=0.001)
    body = {"model": "course-chat", "messages": ASKED}
    for stream in (False, True):
        answer = service.post(CHAT, json=body | {"stream": stream})
        assert "longer than 0.001 s" in refused(answer, 504, "timeout")["message"]
    service.idle()


def test_what_waits_to_be_read_is_bounded_too(start: Any) -> None:
    service = start(max_waiting=2)
    body = {"model": "course-chat", "messages": [{"role": "user", "content": "x" * (INLINE_CHARS + 1)}]}
    free = threading.Event()
    for _ in range(service.desk.config.threads):
        service.desk.pool.submit(free.wait)
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(service.post, CHAT, json=body) for _ in range(5)]
        try:
            until(lambda: sum(one.done() for one in asked) == 3)
            assert service.create(model="course-chat-base", max_tokens=1).choices  # another engine's place
        finally:
            free.set()
    assert Counter(one.result().status_code for one in asked) == {429: 3, 400: 2}
    assert service.create().choices


def test_each_choice_takes_a_place(start: Any) -> None:
    service = start(max_waiting=4)
    body = {"model": "course-chat-base", "messages": NOISE, "temperature": 2, "max_tokens": 200}
    error = refused(service.post(CHAT, json=body | {"n": 5}), 422, "bad_input")
    assert "at most 4" in error["message"]
    service.create(model="course-chat-base", max_tokens=1)  # loads it
    stream = iter(service.create(**(body | {"n": 4, "stream": True})))
    next(stream)
    refused(service.post(CHAT, json=body | {"n": 2}), 429, "too_many_requests")
    assert service.post(CHAT, json=body | {"n": 1, "max_tokens": 1}).status_code == 200
    assert len([one for one in stream if one.choices[0].finish_reason]) == 4


@pytest.mark.parametrize("timeout_s", [0.05])
def test_the_kits_own_time_limit_cuts_no_answer(start: Any, timeout_s: float) -> None:
    service = start(timeout_s=timeout_s)
    service.create(model="course-chat-base", max_tokens=1)
    noise = [{"role": "user", "content": "noise"}]
    drawn = service.create(noise, model="course-chat-base", temperature=2, n=8, max_tokens=200)
    assert drawn.penstock["latency_ms"] > timeout_s * 1000
