"""Personal fields in the log: hashed or dropped, never as they are."""

import orjson

from tasks.watching.log import Record
from tasks.watching.privacy import Privacy, privacy_of

ROW = {"name": "Ada", "age": 36, "town": None, "income": 1.5}
SCHEMA = [
    {"name": "name", "personal": "hash"},
    {"name": "age", "personal": "drop"},
    {"name": "town", "personal": "hash"},
    {"name": "income", "personal": None},
]


def hidden(key: bytes | None, **given: object) -> Record:
    record = Record("prediction", "a", "people", "1", inputs=dict(ROW), **given)  # type: ignore[arg-type]
    privacy_of(SCHEMA, key).hide(record)
    return record


def test_a_hash_is_stable_and_of_the_key_and_the_column() -> None:
    first, again, other = hidden(b"k").inputs, hidden(b"k").inputs, hidden(b"l").inputs
    assert first == again and list(first) == ["income", "name"]
    assert len(first["name"]) == 32 and first["name"] != other["name"]
    assert Privacy({}, b"k").pseudonym("name", "Ada") != Privacy({}, b"k").pseudonym("nickname", "Ada")


def test_without_a_key_nothing_is_hashed() -> None:
    assert hidden(None).inputs == {"income": 1.5}


def test_the_answer_quotes_no_personal_field() -> None:
    answer = {"prediction": 1, "unseen": ["name=Ada", "income=x"], "caption": "Ada says", "error": "Ada is no name"}
    record = hidden(b"k", output=answer, features={"age": 36, "chars": 3})
    assert record.output == {"prediction": 1, "unseen": ["name=(personal)", "income=x"], "error": "(personal)"}
    assert record.features == {"chars": 3}
    assert b"Ada" not in orjson.dumps(record)


def test_without_rules_a_record_stays_as_it_is() -> None:
    record = Record("prediction", "a", "people", "1", inputs=ROW, output={"text": "Ada"})
    privacy_of([{"name": "name"}], b"k").hide(record)
    assert record.inputs is ROW and record.output == {"text": "Ada"}
