"""A person's file of golden questions without those about a document: the rest of the file stays as it was written."""

from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from tasks.retrieval.golden import Question, Questions
from tasks.retrieval.propose import as_yaml
from tasks.sources.yamls import build, put_text, read_mapping

BOM = "\ufeff"


def about(path: Path, documents: Iterable[str]) -> tuple[list[Question], list[Question]]:
    """The file's questions about these documents, and the others."""
    names, questions = set(documents), build(Questions, read_mapping(path), path).questions
    return [one for one in questions if one.document in names], [one for one in questions if one.document not in names]


def take_out(path: Path, documents: Iterable[str]) -> None:
    """Remove the questions about these documents; line ends and byte order mark stay as they are."""
    names = set(documents)
    out, rest = about(path, names)
    if not out:
        return
    written = path.read_bytes().decode()
    cut = _cut(written.removeprefix(BOM), names)
    if not _holds(cut, rest):  # it was written in a way that cannot be cut by lines
        cut = as_yaml(tuple(rest)).replace("\n", "\r\n" if "\r\n" in written else "\n")
    put_text(path, f"{BOM if written.startswith(BOM) else ''}{cut}")


def _holds(text: str, questions: list[Question]) -> bool:
    try:
        return list(Questions.model_validate(yaml.safe_load(text)).questions) == questions
    except (yaml.YAMLError, ValidationError):
        return False


def _cut(text: str, names: set[str]) -> str:
    """Without the lines of the list items that name one of the documents; comments stay."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    lines, going = text.splitlines(keepends=True), set[int]()
    asked = next(value for key, value in root.value if key.value == "questions")
    for item in () if asked.flow_style else asked.value:
        told = {key.value: value for key, value in item.value}
        if told.get("document") and told["document"].value in names:
            first = item.start_mark.line
            while not lines[first].lstrip().startswith("-"):
                first -= 1
            going |= set(range(first, _end(item) + 1))
    return "".join(line for number, line in enumerate(lines) if number not in going)


def _end(node: yaml.Node) -> int:
    """The last line of a node; a block's own mark stands behind the comments that follow it."""
    if isinstance(node, yaml.MappingNode) and node.value:
        return max(_end(value) for _, value in node.value)
    if isinstance(node, yaml.SequenceNode) and node.value:
        return max(_end(value) for value in node.value)
    mark = node.end_mark
    return mark.line - 1 if mark.column == 0 and mark.line > node.start_mark.line else mark.line
