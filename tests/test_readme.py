"""The texts that people follow: what they name exists, and what exists is named."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from bentos.assistant import routes as assistant_routes
from bentos.assistant.model import load_assistant
from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.rag import routes
from bentos.rag.model import load_rag
from bentos.rag.schemas import Answered, Citation, Found, Narrowed, Query, Question, Shelf
from flows.cli import app
from flows.kinds import KINDS
from tasks.creative.specs import CreativeRecipe
from tasks.language.specs import AssistantRecipe
from tasks.registry.recipes import Recipe
from tasks.retrieval import golden
from tasks.retrieval.answerable import DEFAULT_THRESHOLD
from tasks.retrieval.specs import DocumentsRecipe
from tasks.settings import OUTSIDE, PREFIX, ROOT, Settings
from tasks.sources.catalog import FolderSource
from tasks.tables.specs import TabularRecipe

GUIDES = ("README.md", "data/README.md", "docker/README.md", "bentos/README.md")  # where commands of `penstock` stand
TEXTS = (*GUIDES, "tests/benchmarks/README.md")
DATA = (ROOT / "data/README.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVICES = (ROOT / "bentos/README.md").read_text(encoding="utf-8")


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


@pytest.mark.parametrize("name", GUIDES)
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
        named = set(re.findall(r"`(--[a-z-]+)", row))
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
    assert len(told) == 4
    assert {name.lower(): int(port) for port, name in told} == {
        name: field.default for name, field in Settings.model_fields.items() if name.endswith("port")
    }


def test_defaults_that_the_text_states() -> None:
    assert re.findall(rf"`{PREFIX}REMOTE_AGE` \((\d+)\)", DATA) == [f"{Settings.model_fields['remote_age'].default:g}"]
    recipe = DocumentsRecipe(name="one", kind="documents", dataset="one")
    told = section("A recipe for documents")
    assert f"| `{recipe.metric}`, {recipe.margin:g} |" in told
    assert f"else {DEFAULT_THRESHOLD:g} |" in told
    for part in ("embedding", "pages", "chunks", "search", "answers"):
        row, more = re.findall(rf"^\| `{part}` \| (.*?) \| (.*) \|$", told, re.MULTILINE)[0]
        values = getattr(recipe, part).model_dump()
        for field, value in re.findall(r"`(\w+): (\w+)`", row):
            assert str(values.pop(field)).lower() == value, part
        assert [field for field in values if f"`{field}`" not in row + more] == [], part


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not ((ROOT / name).parent / link).exists()] == []


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 300


def test_every_dataset_of_the_box_is_listed() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|.*\| ([^|]+) \|$", section("In the box"), re.MULTILINE)
    assert sorted(dataset for dataset, _ in rows) == sorted(names("datasets"))
    releases = [release for _, told in rows if told != "none" for release in re.findall(r"`([a-z-]+)`", told)]
    assert sorted(releases) == sorted(names("releases"))


def names(kind: str) -> list[str]:
    return [path.stem for path in Path(ROOT / "data" / kind).glob("*.yaml")]


@pytest.mark.parametrize(
    ("title", "kind", "unused"),
    [
        ("A recipe for a table", TabularRecipe, set()),
        ("A recipe for texts", CreativeRecipe, set()),
        ("A recipe for documents", DocumentsRecipe, {"min_rows"}),
        ("A recipe for an assistant", AssistantRecipe, {"slices", "slice_floors"}),
    ],
)
def test_every_field_of_a_recipe_is_listed(title: str, kind: type[Recipe], unused: set[str]) -> None:
    base = {"name", "kind", "dataset", "task", "metric"}
    listed = fields(section(title))
    assert listed - set(kind.model_fields) == set()
    assert set(kind.model_fields) - base - unused - listed == set()


def test_every_field_of_a_folder_and_of_a_golden_question_is_listed() -> None:
    assert fields(section("A folder of documents")) == set(FolderSource.model_fields) - {"type"}
    assert fields(section("Golden questions")) == set(golden.Question.model_fields)


def test_the_example_of_golden_questions_is_one(tmp_path: Path) -> None:
    (tmp_path / "golden").mkdir()
    example = re.findall(r"```yaml\n(.*?)```", section("Golden questions"), re.DOTALL)[0]
    (tmp_path / "golden" / "example.yaml").write_text(example)
    told = golden.load_golden("example", [tmp_path])
    assert {question.answerable for question in told} == {True, False}


def test_the_tables_of_the_services_have_every_request() -> None:
    apps = (routes.app(Desk(load_rag, Config())), assistant_routes.app(Desk(load_assistant, Config())))
    paths = [(path, ways) for app in apps for path, ways in app.openapi()["paths"].items() if path.startswith("/v1/")]
    made = [(method.upper(), path) for path, ways in paths for method in ways]
    rows = re.findall(r"^\| `([A-Z]+) (/v1/[^`]*)` \| `\w+` \|", SERVICES, re.MULTILINE)
    assert sorted(rows) == sorted(made)


def test_the_table_of_the_document_service_has_every_field() -> None:
    rows = dict(re.findall(r"^\| `(?:POST|GET) (/v1/\w+)` \| `\w+` \| (.*) \|$", SERVICES, re.MULTILINE)[:2])
    asked = re.findall(r"[a-z_]+", rows["/v1/ask"])
    for kind in (Question, Narrowed, Answered, Citation):
        assert set(kind.model_fields) <= set(asked), kind.__name__
    assert set(Query.model_fields) | set(Found.model_fields) <= set(re.findall(r"[a-z_]+", rows["/v1/search"]))
    listing = re.findall(r"^\| `GET /v1/documents` .*$", SERVICES, re.MULTILINE)[0]
    assert set(Shelf.model_fields) <= set(re.findall(r"[a-z_]+", listing))


def test_every_kind_of_release_is_named() -> None:
    assert set(re.findall(r"`(\w+)`: (?:regression|texts|questions|a chat model)", README)) == set(KINDS)


def section(title: str) -> str:
    """One section of data/README.md."""
    return re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", DATA, re.DOTALL | re.MULTILINE)[0]


def fields(text: str) -> set[str]:
    """What the first column of a section's table names."""
    rows = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
