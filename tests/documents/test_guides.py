"""The guides that come in the box: Markdown to PDF and back, and the golden questions about them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tasks.artifacts import Artifact, Store
from tasks.documents.chunk_file import ChunkOptions
from tasks.documents.chunks import chunk_corpus
from tasks.documents.corpus import scan
from tasks.documents.guides import render_markdown
from tasks.documents.parse import parse_corpus
from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.parsers import parse_bytes
from tasks.documents.snapshots import take
from tasks.retrieval.golden import load_golden, settle
from tasks.settings import ROOT
from tasks.sources.catalog import load_dataset
from tests.documents import made

DATA = ROOT / "data"
GUIDES = sorted((DATA / "samples" / "course-guides").glob("*.md"))
TEXT = """---
title: River handbook
date: 2024-03-01
columns: {columns}
---

# River handbook

## Levels

{filling}

## Gauges

| Gauge | Level | Bank |
|---|---|---|
| Weir north | 1.25 m | left |
| Old bridge | 0.80 m | right |

## Alarms

The siren is tested on the first Monday of each month.
"""
SENTENCES = [made.sentence(number) for number in range(90)]


def handbook(columns: int = 1) -> str:
    paragraphs = [" ".join(SENTENCES[start : start + 5]) for start in range(0, len(SENTENCES), 5)]
    return TEXT.format(columns=columns, filling="\n\n".join(paragraphs))


def read(text: str) -> Parsed:
    return parse_bytes(render_markdown(text, "handbook"), "handbook.pdf", PageOptions())


def flat(parsed: Parsed) -> str:
    return " ".join(" ".join(block.text for block in parsed.blocks).split())


@pytest.mark.parametrize("columns", [1, 2])
def test_the_same_text_gives_the_same_bytes(columns: int) -> None:
    once = render_markdown(handbook(columns), "handbook")
    assert once == render_markdown(handbook(columns), "handbook") and once.startswith(b"%PDF")
    assert once != render_markdown(handbook(3 - columns), "handbook")


@pytest.mark.parametrize("columns", [1, 2])
def test_what_was_written_is_read_back(columns: int) -> None:
    parsed = read(handbook(columns))
    assert (parsed.title, parsed.date, parsed.format, parsed.language) == ("River handbook", "2024-03-01", "pdf", "en")
    assert parsed.pages > 1
    headings = [(block.text, block.level) for block in parsed.blocks if block.kind == "heading"]
    assert [text for text, _ in headings] == ["River handbook", "Levels", "Gauges", "Alarms"]
    assert headings[0][1] < headings[1][1] == headings[2][1] == headings[3][1]
    text = flat(parsed)
    places = [text.find(sentence) for sentence in SENTENCES]
    assert -1 not in places and places == sorted(places)  # column after column, page after page
    assert text.endswith("The siren is tested on the first Monday of each month.")


@pytest.mark.parametrize("columns", [1, 2])
def test_headers_and_page_numbers_are_no_text(columns: int) -> None:
    parsed = read(handbook(columns))
    text = flat(parsed)
    assert "Page 1 of" not in text and "Page 2 of" not in text
    assert text.count("River handbook") == 1


def test_a_table_comes_back_in_its_cells() -> None:
    (table,) = [block for block in read(handbook()).blocks if block.kind == "table"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.text.splitlines()]
    cells = [row for row in rows if not set("".join(row)) <= set("-: ")]
    assert cells == [["Gauge", "Level", "Bank"], ["Weir north", "1.25 m", "left"], ["Old bridge", "0.80 m", "right"]]


def test_the_guides_have_tables_and_two_columns() -> None:
    texts = [path.read_text() for path in GUIDES]
    assert len(texts) >= 10
    assert sum("columns: 2" in text for text in texts) >= 1 and sum("\n|---" in text for text in texts) >= 3


@pytest.fixture
def tokenizer(tmp_path: Path, store: Store) -> Artifact:
    """A tokenizer of words: where a quote stands does not depend on the model's."""
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(folder / "tokenizer.json"))
    return store.put_folder("weights", folder)


@pytest.fixture
def course(store: Store) -> Iterator[Artifact]:
    """The course guides as the flow takes them."""
    yield take(scan(load_dataset("course-guides", [DATA]), {}), None).manifest


def test_every_golden_quote_stands_in_the_guides(course: Artifact, tokenizer: Artifact) -> None:
    parsed = parse_corpus(course, PageOptions())
    assert parsed.problems == [] and parsed.documents == len(GUIDES)
    chunks = chunk_corpus(parsed.artifact, tokenizer, ChunkOptions())
    asked = settle(load_golden("course-search", [DATA]), chunks.artifact)
    assert asked.stale == ()
    assert asked.answerable >= 40 and asked.unanswerable >= 5
