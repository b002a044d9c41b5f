"""Chat data: three forms of it, what breaks its rules, and tables that do not depend on how it was written."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.artifacts import Store, opened
from tasks.errors import BadInput
from tasks.language import conversations as chats
from tasks.language.chats import Message
from tasks.language.conversations import conversations, gathered, lines_of, read_conversations
from tasks.language.faults import Fault
from tasks.language.forms import LONGEST, MOST, Conversation, conversation, fact_of, parsed
from tasks.sources.contracts import load_contract
from tasks.sources.fetch import fetch
from tasks.sources.frames import read_table
from tasks.sources.snapshots import take
from tests.language.chat_data import as_messages, dataset, pair, read

SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}
FIELDS = ["messages", "conversations", "prompt", "completion", "id", "fact"]
INNER = ["role", "content", "from", "value", "type", "text"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=3),
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(str.strip)


@st.composite
def talks(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Roles and contents of a conversation that keeps the rules."""
    pairs = draw(st.lists(st.tuples(texts, texts), min_size=1, max_size=3))
    turns = [(role, text) for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]
    return [("system", draw(texts)), *turns] if draw(st.booleans()) else turns


def as_sharegpt(turns: list[tuple[str, str]]) -> dict[str, Any]:
    return {"conversations": [{"from": SPEAKERS[role], "value": text} for role, text in turns]}


@given(talks())
def test_each_form_says_the_same(turns: list[tuple[str, str]]) -> None:
    one, other = conversation(as_messages(turns)), conversation(as_sharegpt(turns))
    assert one == other and [(m.role, m.content) for m in one.messages] == [(r, text.strip()) for r, text in turns]
    parts = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in turns]
    assert conversation({"messages": parts}) == one
    if [role for role, _ in turns] == ["user", "assistant"]:
        assert conversation(pair(turns[0][1], turns[1][1])) == one


@given(st.lists(st.sampled_from(["system", "user", "assistant"]), max_size=7))
def test_only_turns_that_end_with_the_assistant_are_a_conversation(roles: list[str]) -> None:
    pairs = roles[1:] if roles[:1] == ["system"] else roles
    right = bool(pairs) and pairs == ["user", "assistant"] * (len(pairs) // 2)
    try:
        conversation(as_messages([(role, "word") for role in roles]))
    except Fault:
        assert not right
    else:
        assert right


@given(st.binary(max_size=60) | anything.map(json.dumps).map(str.encode))
def test_any_bytes_are_a_conversation_or_a_fault(line: bytes) -> None:
    try:
        assert conversation(parsed(line)).messages
    except Fault as fault:
        assert fault.rule and fault.got


@given(st.dictionaries(st.sampled_from(FIELDS), anything))
def test_any_object_is_a_conversation_or_a_fault(value: dict[str, Any]) -> None:
    try:
        assert conversation(value).messages[-1].role == "assistant"
    except Fault as fault:
        assert "\n" not in str(fault)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"prompt": "gr\xfc\xdfe", "completion": "a"}', "a line is UTF-8, got the byte 0xfc at byte 15"),
        (b'{"prompt": "\\ud800", "completion": "a"}', "no lone surrogate"),
        (b'{"prompt": "\xed\xa0\x80", "completion": "a"}', "a line is UTF-8"),
        (b'{"prompt": "a\0b", "completion": "a"}', "holds no NUL, got one at byte 14"),
        (b'{"prompt": "a\\u0000b", "completion": "a"}', "holds no NUL, got one in message 1"),
        (b'{"prompt": "a", "completion": "a"', "a line is JSON"),
        (b"[" * 5000 + b"]" * 5000, "a line is JSON"),
        (b'["a"]', "a JSON object, got a list"),
        (pair("a", " \n\u00a0"), "no message is empty, got message 2"),
        (pair("a", None), "a message is text, got null in message 2"),  # type: ignore[arg-type]
        (pair("a", "b" * (LONGEST + 1)), f"at most {LONGEST} characters, got {LONGEST + 1} in message 2"),
        (pair("a", "b", id=True), "an id is text .* got true or false"),
        (pair("a", "b", id=""), "an id is text"),
        (pair("a", "b", fact=" "), "a fact is text"),
        (pair("a", "b", fact=["c"]), "a fact is text .* got a list"),
        ({"instruction": "a", "output": "b"}, "or `conversations`, got instruction, output"),
        ({}, "got nothing"),
        ({"messages": "a"}, "`messages` is a list, got text"),
        ({"messages": []}, f"1 to {MOST} messages, got 0"),
        (as_messages([("user", "a"), ("assistant", "b")] * 251), f"1 to {MOST} messages, got 502"),
        ({"messages": [{"role": "user"}]}, "has `role` and `content`, got another in message 1"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "`role` is system, user, assistant, got 'tool'"),
        ({"messages": [{"role": ["user"], "content": "a"}]}, "got a list in message 1"),
        ({"conversations": [{"from": "user", "value": "a"}]}, "`from` is system, human, gpt, got 'user'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "a part that is 'image_url'"),
        (as_messages([("system", "a")]), "the assistant has the last word, got system"),
        (as_messages([("assistant", "a")]), "user first, got assistant in message 1"),
        (as_messages([("user", "a"), ("user", "b")]), "take turns.* got user in message 2"),
        (as_messages([("user", "a"), ("assistant", "b"), ("user", "c")]), "last word, got user"),
        (as_messages([("user", "a"), ("system", "b")]), "only the first message is the system's, got message 2"),
    ],
)
def test_a_bad_line_is_put_aside_with_its_number_and_reason(
    tmp_path: Path, store: Store, line: object, told: str
) -> None:
    made = read(tmp_path, pair("first", "one"), b"  ", line, pair("last", "two"))
    assert (made.rows, made.bad_rows, made.table.meta["rows"]) == (3, 1, 2)
    assert made.quarantine is not None
    (row,) = read_table(made.quarantine).to_pylist()
    assert row["line"] == 3 and row["file"] == str(tmp_path / "chat.jsonl") and row["raw"]
    assert re.search(told, row["reason"])
    (cause,) = made.causes
    assert str(cause).startswith("1 row: ") and "such as line 3: " in str(cause)


def test_causes_are_counted_and_the_raw_line_is_kept(tmp_path: Path, store: Store) -> None:
    bad = b'{"prompt": "\xff", "completion": ""}'
    made = read(tmp_path, bad, pair("a", ""), pair("b", " "), pair("c", "d"))
    assert [(cause.rule, cause.rows) for cause in made.causes] == [("no message is empty", 2), ("a line is UTF-8", 1)]
    assert made.quarantine is not None
    assert read_table(made.quarantine)["raw"][0].as_py() == '{"prompt": "\\xff", "completion": ""}'


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (json.dumps(pair("a", "b")).encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        (json.dumps(pair("a", "b")).encode("utf-16-le"), "a line holds no NUL"),
        ("gr\u00fc\u00df\n\u00e4\n".encode("latin-1"), "a line is UTF-8"),
        (b"question,answer\na,b\n", "a line is JSON"),
        (json.dumps([pair("a", "b")], indent=1).encode(), "a line is JSON"),
        (json.dumps([pair("a", "b")]).encode(), "a line is a JSON object, and line 1 has a list"),
        (b'{"a": 1}\n{"a": 2}\n', r"None of the 2 lines of .*chat.jsonl is a conversation.*\n  2 rows: a line has"),
    ],
)
def test_a_file_that_is_no_chat_data_is_refused(tmp_path: Path, store: Store, data: bytes, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        read(tmp_path, data)
    assert "chat.jsonl" in str(caught.value)
    with pytest.raises(BadInput, match=told):
        chats.check_files(dataset(tmp_path), {})


@given(st.lists(talks(), min_size=1, max_size=5), st.randoms())
def test_the_digest_depends_on_neither_form_nor_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[tuple[str, str]]], chance: Any
) -> None:
    folder = tmp_path_factory.mktemp("chat")
    with opened(folder / "store"):
        one = read(folder, *map(as_messages, rows))
        others = [json.dumps(as_sharegpt(turns)).encode() + b" \r" for turns in [*rows, rows[0]]]
        chance.shuffle(others)
        other = read(folder, b"\xef\xbb\xbf", *others)
        assert one.table.digest == other.table.digest and other.duplicates == one.duplicates + 1
        named = dataset(folder)
        raw = fetch(named, {})
        first = take("chat", one.table, raw, named, None)
        assert take("chat", other.table, raw, named, None).version == first.version == 1
        assert first.rows == one.table.meta["rows"] and list(first.columns) == ["id", "messages", "fact"]


def test_what_was_read_is_read_back(tmp_path: Path, store: Store) -> None:
    made = read(tmp_path, pair("Wie tief?", "30 m", id=7, fact=" depth "), pair("How deep?", "30 M", id="b"))
    messages = (Message(role="user", content="Wie tief?"), Message(role="assistant", content="30 m"))
    first, second = conversations(made.table)
    assert first == Conversation("7", messages, "depth")
    assert second.id == "b" and second.fact == fact_of(" 30  m") != fact_of("31 m")
    with (tmp_path / "chat.jsonl").open("a") as file:
        file.write("\n" + json.dumps(pair("More?", "No.")))
    named = dataset(tmp_path)
    raw = fetch(named, {})
    take("chat", made.table, raw, named, None)
    assert take("chat", read_conversations(lines_of(raw, named)).table, raw, named, None).version == 2


def test_duplicates_are_told_with_what_stays_and_ids_are_used_once(tmp_path: Path, store: Store) -> None:
    rows = [pair("How deep?", "30 m", id="b"), pair("how deep", "30 m", id="a"), pair("How deep?", "40 m", id="a")]
    made = read(tmp_path, *rows)
    assert made.quarantine is not None and made.repeated is not None
    assert read_table(made.quarantine)["reason"].to_pylist() == ["an id is used once, got 'a', as in line 2"]
    told = {"file": str(tmp_path / "chat.jsonl"), "line": 1, "id": "b", "like": "a"}
    assert made.duplicates == 1 and read_table(made.repeated).to_pylist() == [told]


def test_several_files_are_one_dataset(tmp_path: Path, store: Store) -> None:
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(pair(f"Who is {name}?", "Me.")) + "\n{}\n")
    named = dataset(tmp_path, source={"type": "file", "path": "*.jsonl"})
    made = read_conversations(lines_of(fetch(named, {}), named))
    assert made.rows == 4 and made.table.meta["rows"] == 2 and made.quarantine is not None
    assert [Path(file).name for file in read_table(made.quarantine)["file"].to_pylist()] == ["a.jsonl", "b.jsonl"]


def test_the_catalog_knows_chat_data(tmp_path: Path) -> None:
    assert dataset(tmp_path).chats
    (tmp_path / "papers").mkdir()
    assert not dataset(tmp_path, source={"type": "folder", "path": "papers"}).chats
    with pytest.raises(BadInput, match="comes from a file or url, not from sklearn"):
        dataset(tmp_path, source={"type": "sklearn", "loader": "iris"})
    with pytest.raises(BadInput, match="no table and has no drop, time"):
        dataset(tmp_path, drop=["a"], time="b")
    with pytest.raises(BadInput, match="chat data, and a table is wanted"):
        load_contract("conversations", [tmp_path])


def test_lines_end_at_line_feeds_alone() -> None:
    data = json.dumps(pair("a\u2028b\u0085c", "d"), ensure_ascii=False).encode()
    assert gathered([("a", data)]).told[0].said.messages[0].content == "a\u2028b\u0085c"
