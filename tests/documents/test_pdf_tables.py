"""Tables: every cell exact, in Markdown rows, and their words in no paragraph."""

import pymupdf
import pytest

from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.parsers import parse_bytes
from tests.documents import made

WANTED = "\n".join(
    ["| " + " | ".join(made.TABLE[0]) + " |", "| --- | --- | --- |"]
    + ["| " + " | ".join(row) + " |" for row in made.TABLE[1:]]
)


def parse(data: bytes, tables: bool = True) -> Parsed:
    return parse_bytes(data, "a.pdf", PageOptions(tables=tables))


@pytest.mark.parametrize("ruled", [True, False])
def test_every_cell_is_exact(ruled: bool) -> None:
    parsed = parse(made.with_table(ruled))
    assert [(block.kind, block.text) for block in parsed.blocks] == [
        ("text", "The table below gives the scores of all models."),
        ("table", WANTED),
        ("text", "Scores are means over five runs."),
    ]


def test_without_tables_their_words_stay_text() -> None:
    parsed = parse(made.with_table(), tables=False)
    assert {block.kind for block in parsed.blocks} == {"text"}
    assert all(cell in " ".join(block.text for block in parsed.blocks) for row in made.TABLE for cell in row)


def test_rules_across_are_enough() -> None:
    document = pymupdf.open()
    page = document.new_page()
    for row, cells in enumerate([["Day", "Topic"], ["Mon", "Dams"], ["Tue", "Weirs and gates"], ["Wed", "Turbines"]]):
        for column, text in enumerate(cells):
            page.insert_text((100 + column * 90, 120 + row * 16), text, fontsize=10)
    for height in (106, 124, 174):
        page.draw_line((90, height), (300, height))
    blocks = parse(bytes(document.tobytes())).blocks
    assert [block.text for block in blocks] == [
        "| Day | Topic |\n| --- | --- |\n| Mon | Dams |\n| Tue | Weirs and gates |\n| Wed | Turbines |"
    ]


def test_a_cell_over_two_columns_is_not_cut_but_words_across_a_rule_are() -> None:
    document = pymupdf.open()
    page = document.new_page()
    for box in [
        (72, 100, 272, 120),
        (72, 120, 172, 140),
        (172, 120, 272, 140),
        (72, 140, 172, 160),
        (172, 140, 272, 160),
    ]:
        page.draw_rect(pymupdf.Rect(box))
    page.insert_text((110, 114), "Results of both models", fontsize=10)
    page.insert_text((150, 134), "one two", fontsize=10)
    page.insert_text((80, 154), "three", fontsize=10)
    page.insert_text((180, 154), "four", fontsize=10)
    table = next(block.text for block in parse(bytes(document.tobytes())).blocks if block.kind == "table")
    assert "Results of both models" in table
    assert "| one | two |\n| three | four |" in table


def test_a_frame_around_text_is_no_table() -> None:
    document = pymupdf.open()
    page = document.new_page()
    page.draw_rect(pymupdf.Rect(60, 70, 540, 150))
    page.draw_rect(pymupdf.Rect(60, 150, 540, 200))
    page.insert_text((72, 100), "Remember to close the gate.\nIt is heavy.", fontsize=11)
    page.insert_text((72, 170), "Nobody does.\nEver.", fontsize=11)
    assert {block.kind for block in parse(bytes(document.tobytes())).blocks} == {"text"}


def test_text_in_two_columns_is_no_table() -> None:
    assert {block.kind for block in parse(made.report(4, columns=2).data).blocks} == {"heading", "text"}
