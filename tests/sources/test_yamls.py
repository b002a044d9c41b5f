"""Files that people write, written by a program: whole, with the mode and the line ends that they had."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from tasks.errors import BadInput
from tasks.sources.yamls import build, put_text


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Pipe(Strict):
    type: Literal["pipe"] = "pipe"
    length: float = 1.0


class Valve(Strict):
    type: Literal["valve"]
    handle: str = ""


class Plant(Strict):
    chunks: int = 1
    one: Pipe | None = None
    many: list[Pipe] = []
    named: dict[str, Pipe] = {}
    tagged: Annotated[Pipe | Valve, Field(discriminator="type")] = Pipe()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"chunk": 1}, "x.yaml: unknown field 'chunk', did you mean 'chunks'?"),
        ({"one": {"lenght": 1}}, "x.yaml: unknown field 'one.lenght', did you mean 'one.length'?"),
        ({"many": [{}, {"lenght": 1}]}, "x.yaml: unknown field 'many.1.lenght', did you mean 'many.1.length'?"),
        ({"named": {"a": {"lenght": 1}}}, "x.yaml: unknown field 'named.a.lenght', did you mean 'named.a.length'?"),
        (
            {"tagged": {"type": "valve", "handel": 1}},
            "x.yaml: unknown field 'tagged.valve.handel', did you mean 'tagged.valve.handle'?",
        ),
        (
            {"tagged": {"type": "valve", "zzz": 1}},
            "x.yaml: unknown field 'tagged.valve.zzz', known fields: handle, type.",
        ),
    ],
)
def test_an_unknown_field_names_the_nearest_at_every_depth(value: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        build(Plant, value, "x.yaml")
    assert str(caught.value) == said


def test_a_file_keeps_its_mode_and_a_new_one_has_the_usual(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "folder" / "new.yaml"
    old.write_text("before")
    old.chmod(0o664)
    before = os.umask(0o027)
    try:
        put_text(old, "a\r\nb\n")
        put_text(new, "c")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (old, new)] == [0o664, 0o640]
    assert old.read_bytes() == b"a\r\nb\n" and new.read_bytes() == b"c"
    assert sorted(tmp_path.rglob("*.*")) == [new, old]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        put_text(path, "\ud800")
    assert path.read_text() == "before" and [*tmp_path.iterdir()] == [path]
