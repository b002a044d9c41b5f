"""Logs of questions, conversations and records as windows: written as services write them, compared, and rated."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.watching.compaction import batch_of
from tasks.watching.drift import verdict
from tasks.watching.frames import Shape, asked, framed, shape_of
from tasks.watching.log import Record
from tasks.watching.looking import Look, look
from tests.watching.logged import made, prediction

DOCUMENTS, ASSISTANT = shape_of({"kind": "documents"}), shape_of({"kind": "assistant"})
ROWS = 600


def question(number: int, draw: random.Random, **facts: Any) -> Record:
    """A line of the documents service; `facts` replace those of a usual day."""
    answered = draw.random() < 0.9
    usual = {
        "question_chars": draw.randint(20, 90), "turns": draw.choice([1, 1, 1, 3]), "language": draw.choice(["en", ""]),
        "answered": answered, "answer_chars": draw.randint(80, 300), "hits": 8, "confidence": draw.random(),
        "cited": draw.randint(1, 3) * answered, "streamed": False, "llm": None, "prompt_tokens": None,
        "completion_tokens": None,
    }  # fmt: skip
    said = {"answered": answered, "documents": ["guide.pdf"]}
    return prediction(number, inputs=None, output=said, features=usual | facts, latency_ms=draw.lognormvariate(3, 0.3))


def turn(number: int, draw: random.Random, **facts: Any) -> Record:
    """A line of the assistant."""
    tokens, first = draw.randint(20, 80), draw.lognormvariate(4, 0.2)
    usual = {
        "model": "course-chat", "turns": 1, "question_chars": draw.randint(20, 90), "language": "en",
        "prompt_tokens": draw.randint(60, 90), "completion_tokens": tokens, "answer_chars": 4 * tokens, "choices": 1,
        "why": ["eos"], "first_token_ms": first, "temperature": 0.0, "streamed": True, "llm": "course-chat",
    }  # fmt: skip
    said = {"finish_reason": ["stop"]}
    return prediction(number, inputs=None, output=said, features=usual | facts, latency_ms=first + 20 * tokens)


def window(store: Store, root: Path, shape: Shape, line: Any, seed: int, **facts: Any) -> Look:
    draw = random.Random(seed)
    parts = made(store, root, *(line(10_000 * seed + number, draw, **facts) for number in range(ROWS)))
    return look(store, shape, parts, 1)


def drifted(reference: Look, window: Look) -> tuple[str, ...]:
    return verdict(reference.rows, window.rows).drifted


def test_questions_like_before_and_others(store: Store, tmp_path: Path) -> None:
    first = window(store, tmp_path, DOCUMENTS, question, 1)
    calm = verdict(first.rows, window(store, tmp_path, DOCUMENTS, question, 2).rows)
    assert calm.enough and not calm.exceeds and calm.reasons == ()  # tokens that neither has are no fault
    assert drifted(first, window(store, tmp_path, DOCUMENTS, question, 3, language="de")) == ("language",)
    other = window(store, tmp_path, DOCUMENTS, question, 4, answered=False, cited=0, question_chars=200)
    assert {"answered", "cited", "question_chars"} <= {*drifted(first, other)}
    assert first.rates["answered"] == pytest.approx(0.9, abs=0.04) and first.rates["cited"] > 0.8
    assert (other.rates["answered"], other.rates["cited"]) == (0, 0)
    assert 15 < first.rates["latency_ms_p50"] < 25 < first.rates["latency_ms_p95"] < 45
    assert "tokens" not in first.rates


def test_a_language_model_tells_tokens(store: Store, tmp_path: Path) -> None:
    spent = {"llm": "small", "prompt_tokens": 700, "completion_tokens": 40}
    first = window(store, tmp_path, DOCUMENTS, question, 1, **spent)
    assert first.rates["tokens"] == 40
    more = window(store, tmp_path, DOCUMENTS, question, 2, **spent | {"completion_tokens": 90})
    assert drifted(first, more) == ("completion_tokens",)


def test_conversations_like_before_and_slower_ones(store: Store, tmp_path: Path) -> None:
    first = window(store, tmp_path, ASSISTANT, turn, 1)
    assert drifted(first, window(store, tmp_path, ASSISTANT, turn, 2)) == ()
    assert drifted(first, window(store, tmp_path, ASSISTANT, turn, 3, first_token_ms=900.0)) == ("first_token_ms",)
    assert 45 < first.rates["tokens"] < 55 and "answered" not in first.rates


def test_lines_of_failed_and_of_older_services_break_nothing(store: Store, tmp_path: Path) -> None:
    failed = prediction(1, inputs=None, output=None, features=None, latency_ms=None)
    older = prediction(2, features={"turns": 2, "first_token_ms": None, "of another time": [1]}, output={"error": "no"})
    draw = random.Random(0)
    parts = made(store, tmp_path, failed, older, *(turn(number, draw) for number in range(3, ROWS + 1)))
    found = look(store, ASSISTANT, parts, 1)
    assert found.rows.rows == ROWS and found.rows.nulls["turns"] == 1 and found.rows.nulls["first_token_ms"] == 2
    assert verdict(found.rows, found.rows).enough


def test_one_question_again_and_again(store: Store, tmp_path: Path) -> None:
    alike = [prediction(number, features={"turns": 1, "question_chars": 9}) for number in range(ROWS)]
    found = look(store, DOCUMENTS, made(store, tmp_path, *alike), 1)
    assert not verdict(found.rows, found.rows).exceeds


SHOP = {
    "kind": "creative",
    "files": {"words.txt": "0"},
    "input_schema": [
        {"name": "title", "dtype": "str"},
        {"name": "price", "dtype": "int"},
        {"name": "seller", "dtype": "str", "personal": "hash"},
        {"name": "age", "dtype": "float", "personal": "drop"},
    ],
}


def test_records_are_watched_by_their_facts_without_what_is_personal() -> None:
    shape = shape_of(SHOP)
    assert set(shape.columns) == {"price", "chars", "words", "capitals", "cut", "language", "unknown_words"}
    assert (shape.hidden, shape.texts, shape.prediction) == (("seller", "age"), ("title",), "float")
    assert not {"language", "unknown_words"} & {*shape_of(SHOP | {"files": {}}).columns}


def test_a_number_of_any_size_is_read() -> None:
    features = {"price": 2**62, "chars": 3, "words": 1, "capitals": 0.0, "cut": False, "unknown_words": 1}
    line = prediction(1, inputs={"title": "Kettle", "seller": "f00"}, output={"probability": 1}, features=features)
    (row,) = framed(shape_of(SHOP), [batch_of([line])]).read_all().to_pylist()
    assert row["price"] == 2.0**62 and row["prediction"] == 1.0 and row["_text"] == "Kettle"


def test_a_value_of_another_type_is_refused_with_its_column() -> None:
    line = prediction(1, features={"price": "cheap"})
    with pytest.raises(BadInput, match="values of price that are not double"):
        framed(shape_of(SHOP), [batch_of([line])]).read_all()


def test_dates_as_services_take_them() -> None:
    schema = [{"name": "day", "dtype": "date", "nullable": True}]
    shape = shape_of({"kind": "tabular", "task": "regression", "input_schema": schema})
    days = ["2024-05-01", "2024-05-01T10:00:00Z", "2024-05-01 10:00:00+02:00", None]
    lines = [prediction(number, inputs={"day": day}) for number, day in enumerate(days)]
    found = framed(shape, [batch_of(lines)]).read_all()["day"]
    assert found.cast(pa.date32()).to_pylist().count(None) == 1 and len(set(found.to_pylist())) == 3


@pytest.mark.parametrize(
    ("inputs", "texts", "said"),
    [
        ({}, ("question",), None),
        ({"question": " Where? "}, ("question",), "Where?"),
        ({"question": "long " * 9_000}, ("question",), ("long " * 300).strip()),
        ({"prompt": "Tell"}, ("prompt",), "Tell"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, ("prompt",), "a"),
        ({"messages": [{"role": "system", "content": "a"}]}, ("prompt",), None),
        ({"title": "Kettle", "text": "It boils", "price": 3, "seller": "f00"}, ("title", "text"), "Kettle It boils"),
        ({"messages": "none", "title": None}, ("title", "messages"), "none"),
    ],
)
def test_what_was_asked(inputs: dict[str, Any], texts: tuple[str, ...], said: str | None) -> None:
    assert asked(inputs, texts) == said
