"""Messages to tokens and back, with the model's own chat template: the same in training, evaluation and service.

What people write is encoded apart from what the template writes, so that control tokens in a message stay text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from tasks.errors import BadInput
from tasks.language.chats import Message

TEMPLATE = "chat_template.jinja"
MARKS = "\ue000{}\ue001"  # private-use characters: no template writes them
NAMED = ("bos_token", "eos_token", "unk_token", "pad_token")
CONTEXT = 2048  # tokens, where config.json does not say


class Chat:
    """Tokenizer, chat template and limits of a model folder. Holds nothing that a request changes."""

    def __init__(self, folder: Path) -> None:
        config, told = _json(folder / "config.json"), _json(folder / "tokenizer_config.json")
        self.tokenizer = _tokenizer(folder)
        self._literal = _tokenizer(folder)
        self._literal.encode_special_tokens = True  # "<|im_end|>" in a message is text
        self.named = {name: _content(told.get(name)) for name in NAMED if told.get(name)}
        self.context = int(config.get("max_position_embeddings") or CONTEXT)
        self.vocabulary = _vocabulary(config, folder)
        self.ends = self._ends(config, folder)
        self.pad = self.tokenizer.token_to_id(self.named.get("pad_token", "")) or 0
        self._template = _template(folder, told)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The tokens up to where the assistant begins to write. BadInput: the template refuses these messages."""
        return self._encode(self._rendered(messages, begin=True), messages)

    def example(self, messages: Sequence[Message]) -> tuple[list[int], int]:
        """The tokens of a whole conversation up to the end of its last answer, and where that answer begins.

        By prefix: the text before the answer is what `prompt` gives, so that any template will do."""
        whole, before = self._rendered(messages, begin=False), self._rendered(messages[:-1], begin=True)
        if not whole.startswith(before):
            raise BadInput("The chat template does not begin an answer as it begins to write one; choose another base.")
        start = self._encode(before, messages)
        answer = self._encode(whole[len(before) :], messages)
        ends = [place for place, token in enumerate(answer) if token in self.ends]
        if not ends:
            raise BadInput("The chat template does not end an answer with a token that stops the model.")
        return start + answer[: ends[0] + 1], len(start)

    def text(self, text: str) -> list[int]:
        """The tokens of bare text, as /v1/completions takes it."""
        return list(self._literal.encode(text, add_special_tokens=True).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))

    def stream(self) -> "Decoded":
        return Decoded(self.tokenizer)

    def _encode(self, rendered: str, messages: Sequence[Message]) -> list[int]:
        tokens: list[int] = []
        for place, part in enumerate(rendered.replace("\ue001", "\ue000").split("\ue000")):
            said = messages[int(part)].content if place % 2 else part
            tokenizer = self._literal if place % 2 else self.tokenizer
            tokens += tokenizer.encode(said, add_special_tokens=False).ids
        return tokens

    def _rendered(self, messages: Sequence[Message], begin: bool) -> str:
        marked = [{"role": one.role, "content": MARKS.format(place)} for place, one in enumerate(messages)]
        try:
            return str(self._template.render(messages=marked, add_generation_prompt=begin, **self.named))
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise BadInput(f"The chat template of the model refuses these messages: {error}.") from None

    def _ends(self, config: dict[str, Any], folder: Path) -> frozenset[int]:
        """The tokens that end an answer."""
        made = folder / "generation_config.json"
        stated = (_json(made) if made.is_file() else {}).get("eos_token_id", config.get("eos_token_id"))
        ends = set(stated if isinstance(stated, list) else [stated])
        ends.add(self.tokenizer.token_to_id(self.named.get("eos_token", "")))
        return frozenset(int(end) for end in ends if end is not None)


class Generation(Extension):
    """The block in which newer templates mark what the assistant says: it is rendered as it stands."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's own interface

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Decoded:
    """Tokens to text as they come: what is not yet a whole character waits."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer, self._stream = tokenizer, DecodeStream(skip_special_tokens=True)

    def add(self, token: int) -> str:
        return self._stream.step(self._tokenizer, token) or ""


def _tokenizer(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise BadInput(f"{folder} has no tokenizer.json; save the model with a fast tokenizer.")
    tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _vocabulary(config: dict[str, Any], folder: Path) -> int:
    if not isinstance(config.get("vocab_size"), int):
        raise BadInput(f"The config.json in {folder} says no `vocab_size`; choose a model of text alone.")
    return int(config["vocab_size"])


def _template(folder: Path, told: dict[str, Any]) -> Any:
    """The template, run without access to anything. BadInput where there is none."""
    path, stated = folder / TEMPLATE, told.get("chat_template")
    if isinstance(stated, list):  # several by name
        stated = next((one["template"] for one in stated if one["name"] == "default"), None)
    source = path.read_text(encoding="utf-8") if path.is_file() else stated
    if not isinstance(source, str):
        raise BadInput(f"{folder} has no chat template; choose an instruct model, or add {TEMPLATE} to the folder.")
    extensions = [loopcontrols, Generation]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    environment.globals["raise_exception"] = _refuse
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    try:
        return environment.from_string(source)
    except TemplateError as error:
        raise BadInput(f"The chat template of {folder} cannot be read: {error}.") from None


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _content(token: Any) -> str:
    """A special token as tokenizer_config.json has it: its text, or an object with it."""
    return str(token["content"] if isinstance(token, dict) else token)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError) as error:
        raise BadInput(f"{path} is missing or no JSON ({error}); name the folder of a whole model.") from None
