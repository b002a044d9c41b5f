"""Real course documents: outlines found, columns in order, formulas and tables where they belong."""

from pathlib import Path

import pytest

from tasks.documents.headings import flat
from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.parsers import parse_bytes


def parse(folder: Path, name: str) -> Parsed:
    return parse_bytes((folder / "pdfs" / name).read_bytes(), name, PageOptions())


def test_every_document_is_read_with_its_language_and_title(shared_data: Path) -> None:
    names = sorted(path.name for path in (shared_data / "pdfs").glob("*.pdf"))
    for name in names:
        parsed = parse(shared_data, name)
        assert (parsed.language, parsed.marks) == ("en", []), name
        assert parsed.date and parsed.title.startswith(("BEE 4750", "VIP", "Pr")), name
    assert len(names) >= 14


def test_the_outlines_titles_become_headings(shared_data: Path) -> None:
    wanted = found = 0
    for path in sorted((shared_data / "pdfs").glob("bee4750-*.pdf")):
        parsed = parse(shared_data, path.name)
        heads = {(block.page, flat(block.text)) for block in parsed.blocks if block.kind == "heading"}
        wanted += len(parsed.outline)
        found += sum((entry.page, flat(entry.title)) in heads for entry in parsed.outline)
    assert wanted > 90
    assert found >= wanted - 1


@pytest.mark.parametrize(
    ("name", "order"),
    [
        (
            "cs229-cheatsheet-deep-learning.pdf",
            ["Recurrent Neural Networks", "Reinforcement Learning and Control", "We iterate the value", "Q-learning"],
        ),
        (
            "cs229-cheatsheet-supervised-learning.pdf",
            [
                "Introduction to Supervised Learning",
                "Notations and general",
                "Loss function",
                "| Least squared |",
                "Newton",
            ],
        ),
    ],
)
def test_columns_are_read_one_after_the_other(shared_data: Path, name: str, order: list[str]) -> None:
    text = "\n".join(block.text for block in parse(shared_data, name).blocks)
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_tables_of_a_real_page(shared_data: Path) -> None:
    tables = [
        b.text for b in parse(shared_data, "cs229-cheatsheet-supervised-learning.pdf").blocks if b.kind == "table"
    ]
    assert "| Examples | Linear regression | Logistic regression, SVM, Naive Bayes |" in tables[0]
    assert "| What’s learned | Decision boundary | Probability distributions of the data |" in tables[1]  # noqa: RUF001
    schedule = [b.text for b in parse(shared_data, "bee4750-2023-syllabus.pdf").blocks if b.kind == "table"]
    assert "| 09-04 | Mon | Labor Day |\n| 09-06 | Wed | Modeling Systems |" in schedule[-1]


def test_a_paragraph_of_a_real_page_is_whole(shared_data: Path) -> None:
    blocks = parse(shared_data, "bee4750-2023-syllabus.pdf").blocks
    assert any(
        block.text.startswith("Environmental systems involve multiple interacting processes")
        and block.text.endswith("solid waste management. In particular, we will:")
        for block in blocks
    )
