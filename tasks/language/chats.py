"""Conversations as they are trained on and asked: messages, and examples that know where they come from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput

Role = Literal["system", "user", "assistant"]
Part = Literal["train", "valid", "held", "never", "refuse"]
TRAIN, JUDGED = "train.jsonl", "judged.jsonl"  # the files of a folder of examples


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True)

    role: Role
    content: str


class Example(BaseModel):
    """A conversation that ends with the answer that is learned or expected.

    `fact` names what the answer says, in whatever wording it is asked. `part`: `train` is learned; `valid` ends the
    training early; `held` asks trained facts in wordings that were not seen; `never` asks facts that were not
    trained; `refuse` asks what the documents do not answer, and was not trained either."""

    model_config = ConfigDict(frozen=True)

    id: str
    messages: tuple[Message, ...]
    fact: str
    part: Part = "train"
    document: str | None = None
    page: int | None = None
    chunk: str | None = None

    @property
    def asked(self) -> tuple[Message, ...]:
        """The conversation before the answer."""
        return self.messages[:-1]

    @property
    def question(self) -> str:
        return self.messages[-2].content

    @property
    def answer(self) -> str:
        return self.messages[-1].content


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    with path.open("wb") as file:
        for example in examples:
            file.write(orjson.dumps(example.model_dump(exclude_none=True), option=orjson.OPT_APPEND_NEWLINE))


def read_examples(path: Path) -> list[Example]:
    """The examples of a file that `write_examples` wrote."""
    found = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                found.append(Example.model_validate(orjson.loads(line)))
            except ValueError:
                raise BadInput(f"Line {number} of {path} is no example; train again to rebuild the file.") from None
    return found


def learned(examples: Artifact) -> list[Example]:
    """The parts `train` and `valid` of a folder of examples."""
    return read_examples(current().path(examples) / TRAIN)


def judged(examples: Artifact) -> list[Example]:
    """The parts `held`, `never` and `refuse`."""
    return read_examples(current().path(examples) / JUDGED)
