"""Messages to tokens and back, under three templates and some that break."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import BadInput
from tasks.language.chats import Message, Role
from tasks.language.rendering import Chat
from tests.language import templates
from tests.language.templates import CHATML, STYLES

texts = st.text(st.characters(codec="utf-8"), max_size=40)
controls = st.sampled_from([*templates.MARKS, *templates.HEADS])
typed = st.lists(texts | controls, max_size=4).map("".join)


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Chat]:
    root = tmp_path_factory.mktemp("styles")
    return {name: templates.chat(root / name, name) for name in STYLES}


def talk(*contents: str, roles: tuple[Role, ...] = ("user", "assistant")) -> tuple[Message, ...]:
    return tuple(Message(role=roles[place % 2], content=text) for place, text in enumerate(contents))


def special(chat: Chat, tokens: list[int]) -> list[str]:
    """The control tokens among them, in order."""
    known = {token: one.content for token, one in chat.tokenizer.get_added_tokens_decoder().items()}
    return [known[token] for token in tokens if token in known]


@given(typed, typed)
def test_control_tokens_that_somebody_types_stay_text(chats: dict[str, Chat], question: str, answer: str) -> None:
    for chat in chats.values():
        plain, start = chat.example(talk("a", "b"))
        tokens, _ = chat.example(talk(question, answer))
        assert special(chat, tokens) == special(chat, plain)
        assert special(chat, chat.prompt(talk(question))) == special(chat, plain[:start])


def test_a_typed_token_is_read_as_its_characters(chats: dict[str, Chat]) -> None:
    for name, control in (("chatml", "<|im_end|>"), ("llama", "<|eot_id|>")):
        chat = chats[name]
        tokens = chat.prompt(talk(control))
        inside = chat.text(control)
        assert chat.tokenizer.token_to_id(control) not in inside and len(inside) > 1
        assert any(tokens[place : place + len(inside)] == inside for place in range(len(tokens)))


@given(st.lists(typed, min_size=1, max_size=3).filter(lambda texts: len(texts) % 2 == 1), typed)
def test_the_prompt_is_how_the_example_begins_and_the_rest_is_answer_and_end(
    chats: dict[str, Chat], asked: list[str], answer: str
) -> None:
    for name, chat in chats.items():
        tokens, start = chat.example(talk(*asked, answer))
        assert tokens[:start] == chat.prompt(talk(*asked))
        assert tokens[start:] == [*chat.text(answer), chat.tokenizer.token_to_id(STYLES[name].ends[0])]


def test_the_text_is_what_the_template_writes(chats: dict[str, Chat]) -> None:
    told = {
        name: chat.tokenizer.decode(chat.prompt(talk("A?", "B.", "C?")), skip_special_tokens=False)
        for name, chat in chats.items()
    }
    body = "<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\nB.<|im_end|>\n<|im_start|>user\nC?<|im_end|>\n"
    assert told["chatml"] == f"{body}<|im_start|>assistant\n"
    assert told["system"] == (
        f"<|im_start|>system\nYou are a helpful AI assistant named SmolLM<|im_end|>\n{body}<|im_start|>assistant\n"
    )
    head = "<|start_header_id|>{}<|end_header_id|>\n\n"
    assert told["llama"] == (
        f"<|begin_of_text|>{head.format('user')}A?<|eot_id|>{head.format('assistant')}B.<|eot_id|>"
        f"{head.format('user')}C?<|eot_id|>{head.format('assistant')}"
    )


def test_a_system_message_of_ones_own_takes_the_place_of_the_default(chats: dict[str, Chat]) -> None:
    tokens = chats["system"].prompt((Message(role="system", content="Be brief."), *talk("a")))
    said = chats["system"].tokenizer.decode(tokens, skip_special_tokens=False)
    assert "SmolLM" not in said and said.startswith("<|im_start|>system\nBe brief.<|im_end|>")


@given(texts)
def test_a_stream_gives_every_text_back_in_whole_characters(chats: dict[str, Chat], text: str) -> None:
    chat = chats["chatml"]
    stream = chat.stream()
    pieces = [stream.add(token) for token in chat.text(text)]
    if not text.endswith("\ufffd"):  # looks like half a character, and waits for the rest
        assert "".join(pieces) == text
    assert chat.decode(chat.text(text)) == text


def test_a_character_of_several_tokens_comes_at_once(chats: dict[str, Chat]) -> None:
    tokens = chats["chatml"].text("a\U0001f41d")
    stream = chats["chatml"].stream()
    assert len(tokens) == 5 and [stream.add(token) for token in tokens] == ["a", "", "", "", "\U0001f41d"]


BROKEN = {
    "{{ raise_exception('Roles must alternate') }}": "refuses these messages: Roles must alternate",
    "{{ 1 / 0 }}": "refuses these messages: division by zero",
    "{{ messages[0].role + 1 }}": "refuses these messages",
    "{{ nothing.at.all }}": "refuses these messages: 'nothing' is undefined",
    "{{ range(10 ** 6) | list }}": "refuses these messages",
    "{{ messages.append(1) }}": "refuses these messages: .*safe",
    "{{ messages[0].__class__.__mro__ }}": "refuses these messages: .*unsafe",
    "{{ ''.__class__.__base__.__subclasses__() }}": "refuses these messages: .*unsafe",
    "{{ raise_exception.__globals__['__builtins__'] }}": "refuses these messages: .*unsafe",
    "{% for message in messages %}": "cannot be read",
    "{{ messages | nothing }}": "cannot be read",
    "{% include '/etc/passwd' %}": "refuses these messages",
}


@pytest.mark.parametrize("template", BROKEN)
def test_a_template_that_breaks_or_reaches_out_is_told(tmp_path: Path, template: str) -> None:
    with pytest.raises(BadInput, match=BROKEN[template]):
        templates.chat(tmp_path / "model", template=template).prompt(talk("a"))


def test_a_template_that_cannot_be_learned_from_is_told(tmp_path: Path) -> None:
    other = CHATML.replace("<|im_start|>assistant\\n' }}{% endif", "<|im_start|>robot\\n' }}{% endif")
    with pytest.raises(BadInput, match="does not begin an answer"):
        templates.chat(tmp_path / "begins", template=other).example(talk("a", "b"))
    endless = CHATML.replace("<|im_end|>", "")
    with pytest.raises(BadInput, match="does not end an answer"):
        templates.chat(tmp_path / "ends", template=endless).example(talk("a", "b"))


def test_a_template_stands_in_a_file_or_among_several(tmp_path: Path) -> None:
    folder = templates.write(tmp_path / "model", STYLES["chatml"])
    expected = Chat(folder).prompt(talk("a"))
    told = json.loads((folder / "tokenizer_config.json").read_bytes())
    several = [{"name": "tool", "template": "x"}, {"name": "default", "template": CHATML}]
    (folder / "tokenizer_config.json").write_text(json.dumps(told | {"chat_template": several}))
    assert Chat(folder).prompt(talk("a")) == expected
    (folder / "tokenizer_config.json").write_text(json.dumps(told | {"chat_template": "x"}))
    (folder / "chat_template.jinja").write_text(CHATML)
    assert Chat(folder).prompt(talk("a")) == expected


HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no template": (lambda folder: without(folder, "chat_template"), r"no chat template; .*chat_template\.jinja"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), r"no tokenizer\.json"),
    "no config": (lambda folder: (folder / "config.json").unlink(), r"config\.json is missing"),
    "half a config": (lambda folder: (folder / "config.json").write_text("{"), r"config\.json is missing or no JSON"),
    "another kind": (lambda folder: (folder / "config.json").write_text("{}"), "says no `vocab_size`"),
}


def without(folder: Path, name: str) -> None:
    told = json.loads((folder / "tokenizer_config.json").read_bytes())
    del told[name]
    (folder / "tokenizer_config.json").write_text(json.dumps(told))


@pytest.mark.parametrize("harm", HARMS)
def test_a_folder_that_is_no_chat_model_is_told(tmp_path: Path, harm: str) -> None:
    folder = templates.write(tmp_path / "model", STYLES["chatml"])
    change, words = HARMS[harm]
    change(folder)
    with pytest.raises(BadInput, match=words):
        Chat(folder)
