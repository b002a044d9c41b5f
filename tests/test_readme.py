"""The texts that people follow: what they name exists, and what exists is named."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from flows.cli import app
from tasks.settings import OUTSIDE, PREFIX, ROOT, Settings

TEXTS = ("README.md", "data/README.md", "docker/README.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: TyperGroup, above: str = "") -> Iterator[str]:
    """Every command by its whole name, such as `data history`."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{above}{name} ")
        else:
            yield f"{above}{name}"


def root() -> TyperGroup:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def called(text: str) -> set[str]:
    """What stands after `penstock` in code spans and blocks, with the word after a group's name."""
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    groups = [name for name, command in root().commands.items() if isinstance(command, TyperGroup)]
    word = rf"(?:^|[\s`$/])penstock ((?:(?:{'|'.join(groups)}) )?[a-z]+)(?![\w:])"
    return {found for span in code for found in re.findall(word, span)}


def recipes() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*)[^:=\n]*:(?!=)", (ROOT / "Justfile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_that_is_named_exists(name: str) -> None:
    named = called((ROOT / name).read_text(encoding="utf-8"))
    assert named
    assert named - set(commands(root())) == set()


def test_the_table_has_every_command() -> None:
    rows = re.findall(r"^\| `penstock ([a-z]+(?: [a-z]+)?)[ `]", README, re.MULTILINE)
    assert sorted(rows) == sorted(commands(root()))


def test_the_table_says_which_commands_take_json() -> None:
    rows = re.findall(r"^\| `penstock ([a-z]+(?: [a-z]+)?)[^`]*`( \*)? \|", README, re.MULTILINE)
    told = {name for name, mark in rows if mark}
    assert told == {name for name in commands(root()) if "--json" in options(name)}


def test_every_option_of_the_table_exists() -> None:
    for name, row in re.findall(r"^\| `penstock ([a-z]+(?: [a-z]+)?)[ `](.*)$", README, re.MULTILINE):
        named = set(re.findall(r"`(--[a-z]+)", row))
        assert named <= options(name), name


def options(name: str) -> set[str]:
    command = root()
    *groups, last = name.split()
    for group in groups:
        inner = command.commands[group]
        assert isinstance(inner, TyperGroup)
        command = inner
    return {option for parameter in command.commands[last].params for option in parameter.opts}


def test_every_recipe_that_is_named_exists() -> None:
    named = {found for text in TEXTS for found in re.findall(r"[`\s/]justw? ([a-z][\w-]*)", code_of(text))}
    assert {"demo", "test", "check", "bench"} <= named
    assert named - recipes() == set()


def code_of(name: str) -> str:
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL))


@pytest.mark.parametrize("name", TEXTS)
def test_every_setting_that_is_named_exists(name: str) -> None:
    named = set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", (ROOT / name).read_text(encoding="utf-8")))
    assert named - OUTSIDE <= {f"{PREFIX}{field}".upper() for field in Settings.model_fields}


def test_the_ports_are_the_defaults() -> None:
    told = re.findall(rf"^\| (\d+) \| `{PREFIX}(\w+)` \|", README, re.MULTILINE)
    assert len(told) == 3
    assert {name.lower(): int(port) for port, name in told} == {
        name: field.default for name, field in Settings.model_fields.items() if name.endswith("port")
    }


def test_defaults_that_the_text_states() -> None:
    assert re.findall(rf"`{PREFIX}REMOTE_AGE` \((\d+)\)", (ROOT / "data/README.md").read_text(encoding="utf-8")) == [
        f"{Settings.model_fields['remote_age'].default:g}"
    ]


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not ((ROOT / name).parent / link).exists()] == []


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 250


def test_every_dataset_of_the_box_is_listed() -> None:
    text = (ROOT / "data/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|.*\| (?:`([a-z-]+)`|none) \|$", text, re.MULTILINE)
    assert sorted(dataset for dataset, _ in rows) == sorted(names("datasets"))
    assert sorted(release for _, release in rows if release) == sorted(names("releases"))


def names(kind: str) -> list[str]:
    return [path.stem for path in Path(ROOT / "data" / kind).glob("*.yaml")]
