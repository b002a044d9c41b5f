"""Questions over HTTP: answers with their places, streams, what is refused, and what is kept of them."""

import json
from typing import Any

import pytest

from bentos.rag.schemas import QUESTION as LONGEST
from tasks.watching.compaction import batch_of
from tasks.watching.frames import framed, shape_of
from tasks.watching.log import folder, read_all
from tests.bentos.rag.conftest import QUESTION, Library, Open, by, events, keys, refused


def test_an_answer_names_document_page_and_version(library: Open) -> None:
    answer = library().ask()
    told = answer.json()
    assert (answer.status_code, told["answered"]) == (200, True)
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["version"].startswith("local-")
    first = told["citations"][0]
    assert (first["document"], first["page"], first["last_page"], first["number"]) == ("guide.pdf", 1, 1, 1)
    assert "Opening hours" in first["heading"]
    assert "ten on Sunday" in first["snippet"] and "ten on Sunday" in told["answer"]


def test_what_the_documents_do_not_say_is_not_answered(library: Open) -> None:
    service = library()
    told = service.ask("Quantum chromodynamics?").json()
    assert (told["answered"], told["citations"]) == (False, [])
    assert told["answer"] == "This is not in the documents."
    cited = len(service.ask().json()["citations"])
    counted = service.client.get("/metrics").text
    labels = f'{{version="{told["version"]}"}}'
    for name, count in (("predictions", 2), ("unanswered", 1), ("citations", cited)):
        assert f"penstock_{name}_total{labels} {count}.0" in counted


def test_a_conversation_ends_with_its_question(library: Open) -> None:
    turns = [("user", "Hello"), ("assistant", "What do you want to know?"), ("user", QUESTION)]
    body = {"messages": [{"role": role, "content": text} for role, text in turns]}
    assert library().client.post("/v1/ask", json=body).json()["citations"][0]["document"] == "guide.pdf"


def test_a_stream_tells_the_same_as_a_plain_answer(library: Open) -> None:
    service = library()
    plain = service.ask().json()
    answer = service.ask(stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer.text)
    assert [name for name, _ in found] == ["delta"] * (len(found) - 1) + ["done"]
    whole = found[-1][1]
    assert whole["request_id"] == answer.headers["x-request-id"]
    assert {**whole, "request_id": ""} == {**plain, "request_id": ""}
    assert "".join(data["text"] for _, data in found[:-1]).strip() == whole["answer"]


def test_search_gives_passages_best_first(library: Open) -> None:
    answer = library().client.post("/v1/search", json={"query": "silence in the reading room", "top_k": 2})
    results = answer.json()["results"]
    assert [one["number"] for one in results] == [1, 2]
    assert results[0]["document"] == "notes/rooms.md"
    assert results[0]["score"] >= results[1]["score"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"documents": ["notes/rooms.md"]}, {"notes/rooms.md"}),
        ({"documents": ["no/such.md"]}, set()),
        ({"since": "2024-01-01", "until": "2024-12-31"}, {"guide.pdf"}),
        ({"until": "2024-04-30"}, set()),
    ],
)
def test_filters_hold(library: Open, filters: dict[str, Any], found: set[str]) -> None:
    answer = library().client.post("/v1/search", json={"query": "library room", "top_k": 50, "filters": filters})
    assert {one["document"] for one in answer.json()["results"]} == found


def test_a_key_sees_its_own_tenant_and_what_is_everybodys(library: Open) -> None:
    service = library(keys=keys(amy="acme", bob="beta", eve=""))

    def seen(name: str, filters: dict[str, Any] | None = None) -> set[str]:
        body = {"query": "zebra walrus salary plan library", "top_k": 50} | ({"filters": filters} if filters else {})
        results = service.client.post("/v1/search", json=body, headers=by(name)).json()["results"]
        return {one["document"] for one in results}

    shared = {"guide.pdf", "notes/rooms.md"}
    assert seen("amy") == shared | {"acme/salary.md"}
    assert seen("bob") == shared | {"beta/plan.md"}
    assert seen("eve") == shared
    assert seen("bob", {"documents": ["acme/salary.md"]}) == set()
    said = service.ask("When is the zebra salary of acme paid?", headers=by("bob")).text
    assert "zebra" not in said and "last Friday" not in said
    assert "last Friday" in service.ask("When is the zebra salary of acme paid?", headers=by("amy")).text
    refused(service.ask(), 401, "unauthorized")


BAD: list[tuple[Any, int]] = [
    ({}, 422),
    ({"question": ""}, 422),
    ({"question": " \n\t"}, 422),
    ({"question": "x" * (LONGEST + 1)}, 422),
    ({"question": "x" * 100_000}, 413),
    ({"question": 5}, 422),
    ({"question": None}, 422),
    ({"question": "a", "messages": [{"role": "user", "content": "a"}]}, 422),
    ({"messages": []}, 422),
    ({"messages": [{"role": "assistant", "content": "a"}]}, 422),
    ({"messages": [{"role": "system", "content": "a"}]}, 422),
    ({"messages": [{"role": "user", "content": " "}]}, 422),
    ({"question": "a", "top_k": 0}, 422),
    ({"question": "a", "top_k": 51}, 422),
    ({"question": "a", "top_k": 1.5}, 422),
    ({"question": "a", "top_k": True}, 422),
    ({"question": "a", "stream": "yes"}, 422),
    ({"question": "a", "colour": "red"}, 422),
    ({"question": "a", "filters": {"tenants": ["acme"]}}, 422),
    ({"question": "a", "filters": {"since": "yesterday"}}, 422),
    ({"question": "a", "filters": {"since": "2024-02-30"}}, 422),
    ({"question": "a", "filters": {"since": "2024-02-02", "until": "2024-02-01"}}, 422),
    ({"question": "a", "filters": {"documents": []}}, 422),
    ({"question": "a", "filters": [1]}, 422),
    ([], 422),
]


@pytest.fixture
def service(library: Open) -> Library:
    return library()


def test_bad_questions_are_refused_clearly(service: Library) -> None:
    for body, status in BAD:
        answer = service.client.post("/v1/ask", json=body)
        refused(answer, status, "too_large" if status == 413 else "bad_input")
    for body in (b"{not json", b"", b'{"question": "\\ud800"}'):
        refused(service.client.post("/v1/ask", content=body), 400, "not_json")
    refused(service.client.post("/v1/ask", content=b'{"question": "a", "top_k": NaN}'), 422, "bad_input")
    refused(service.client.post("/v1/ask", content=b"question=a", headers={"content-type": "text/plain"}), 415)
    refused(service.client.get("/v1/ask"), 405)
    refused(service.client.post("/v1/search", json={"query": ""}), 422)


def test_text_is_logged_only_when_told(library: Open, data_root: Any) -> None:
    service = library()
    number = service.ask(stream=True).headers["x-request-id"]
    service.client.post("/feedback", json={"request_id": number, "rating": -1})
    (asked, told) = read_all(folder(data_root, "library"))
    assert (asked.kind, asked.request_id, asked.inputs) == ("prediction", number, None)
    assert asked.output == {"answered": True, "documents": asked.output["documents"]}
    assert asked.output["documents"][0] == "guide.pdf"
    assert asked.features is not None and asked.latency_ms is not None and asked.latency_ms > 0
    assert asked.features["question_chars"] == len(QUESTION)
    assert asked.features["streamed"] is True and asked.features["hits"] > 0
    assert (told.kind, told.request_id, told.rating) == ("feedback", number, -1)
    assert "Sunday" not in json.dumps([asked.output, asked.features])


def test_what_is_watched_is_logged(library: Open, data_root: Any) -> None:
    service = library(log_text=True)
    service.ask()
    service.ask("Is the library not open in the evening of a Sunday?", top_k=1)
    shape = shape_of({"kind": "documents"})
    frame = framed(shape, [batch_of([*read_all(folder(data_root, "library"))])]).read_all()
    assert frame["_text"].to_pylist() == [QUESTION, "Is the library not open in the evening of a Sunday?"]
    assert frame["language"].to_pylist() == ["en", "en"]
    empty = {name for name in shape.columns if frame[name].null_count}
    assert empty == {"prompt_tokens", "completion_tokens"}  # no language model answers


def test_text_is_logged_by_setting(library: Open, data_root: Any) -> None:
    library(log_text=True).ask()
    (asked,) = read_all(folder(data_root, "library"))
    assert asked.inputs["question"] == QUESTION
    assert "Sunday" in asked.output["answer"]
