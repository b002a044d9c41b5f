"""PDFs made on the spot: what is read, what is left out, what is said about them."""

import shutil

import pymupdf
import pytest

from tasks.documents.images import render_page
from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.parsers import parse_bytes
from tasks.documents.tesseract import tesseract
from tasks.errors import BadInput
from tests.documents import hostile, made


def parse(data: bytes, **options: object) -> Parsed:
    return parse_bytes(data, "docs/the_report.pdf", PageOptions.model_validate(options))


def said(parsed: Parsed) -> str:
    return "\n".join(block.text for block in parsed.blocks)


def bare(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("columns", [1, 2])
def test_paragraphs_and_headings_come_whole_and_in_order(columns: int) -> None:
    known = made.report(8, columns)
    parsed = parse(known.data)
    assert [bare(b.text) for b in parsed.blocks if b.kind == "text"] == [bare(text) for text in known.paragraphs]
    assert [b.text for b in parsed.blocks if b.kind == "heading"] == known.headings
    assert known.header not in said(parsed) and "Page 3" not in said(parsed)
    assert [heading.page for heading in parsed.outline] == [1 + place // columns for place in range(8 * columns)]


def test_words_keep_a_hyphen_that_the_document_uses_elsewhere() -> None:
    text = "A well-known rule holds for the well-\nknown case, and the esti-\nmation is as good as any."
    assert said(parse(made.text_pdf(text))) == (
        "A well-known rule holds for the well-known case, and the estimation is as good as any."
    )


def test_a_paragraph_runs_on_over_the_page() -> None:
    parsed = parse(made.text_pdf("The water of the reservoir was let out", "through the lower gate in spring."))
    assert [(block.page, block.text) for block in parsed.blocks] == [
        (1, "The water of the reservoir was let out through the lower gate in spring.")
    ]


def test_the_outline_gives_the_headings() -> None:
    document = pymupdf.open(stream=made.text_pdf("2.1 The gate\nIt was closed.", "Weirs\nAll open."))
    document.set_toc([[1, "The gate", 1], [2, "Weirs", 2]])
    parsed = parse(bytes(document.tobytes()))
    assert [(h.level, h.title, h.page) for h in parsed.outline] == [(1, "The gate", 1), (2, "Weirs", 2)]
    assert [(b.kind, b.level, b.text) for b in parsed.blocks] == [
        ("heading", 1, "2.1 The gate"),
        ("text", 0, "It was closed."),
        ("heading", 2, "Weirs"),
        ("text", 0, "All open."),
    ]


def test_title_and_date_are_the_documents_own() -> None:
    dated = parse(made.text_pdf("Water", title="On gates", date="D:20240131120000+01'00'"))
    assert (dated.title, dated.date) == ("On gates", "2024-01-31")
    plain = parse(made.text_pdf("Water", title="Microsoft Word - x.docx", date="D:20241399"))
    assert (plain.title, plain.date) == ("the report", None)
    assert parse(made.report(3).data).title.startswith("1 For 500")


def test_printed_page_numbers() -> None:
    document = pymupdf.open(stream=made.text_pdf("a", "b", "c"))
    assert parse(bytes(document.tobytes())).labels == []
    document.set_page_labels([{"startpage": 0, "style": "r", "firstpagenum": 1}, {"startpage": 2, "style": "D"}])
    assert parse(bytes(document.tobytes())).labels == ["i", "ii", "1"]


def test_hidden_text_is_taken_out() -> None:
    parsed = parse(made.hidden_text())
    assert said(parsed) == made.SHOWN
    assert parsed.marks == ["hidden text removed"]


def test_white_on_a_dark_ground_is_seen() -> None:
    document = pymupdf.open()
    page = document.new_page()
    page.draw_rect(pymupdf.Rect(60, 70, 560, 110), fill=(0, 0, 0.4))
    page.insert_text((72, 90), made.SHOWN, fontsize=11, color=(1, 1, 1))
    parsed = parse(bytes(document.tobytes()))
    assert (said(parsed), parsed.marks) == (made.SHOWN, [])


def test_text_in_nearly_the_colour_of_its_ground_is_hidden() -> None:
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 50), made.SHOWN, fontsize=11)
    for number, colour in enumerate([(0.1, 0.1, 0.4), (1, 0.8, 0.8), (0.9, 0.9, 0.3)]):
        page.draw_rect(pymupdf.Rect(60, 70 + 60 * number, 560, 110 + 60 * number), color=None, fill=colour)
        near = [channel + 0.03 if channel < 0.5 else channel - 0.03 for channel in colour]
        page.insert_text((72, 95 + 60 * number), made.HIDDEN, fontsize=11, color=near)
    page.draw_rect(pymupdf.Rect(60, 300, 560, 340), color=None, fill=(0.1, 0.1, 0.1))
    page.insert_text((72, 320), "Seen on black.", fontsize=11, color=(0.6, 0.6, 0.6))
    page.draw_rect(pymupdf.Rect(60, 400, 560, 440), color=None, fill=(0.1, 0.1, 0.1))
    page.draw_rect(pymupdf.Rect(61, 401, 559, 439), color=None, fill=(0.9, 0.9, 0.8))
    page.insert_text((72, 420), "Seen in a frame.", fontsize=11)
    parsed = parse(bytes(document.tobytes()))
    assert said(parsed).split("\n") == [made.SHOWN, "Seen on black.", "Seen in a frame."]
    assert parsed.marks == ["hidden text removed"]


def test_a_scan_is_refused_with_advice_and_its_text_layer_read() -> None:
    with pytest.raises(BadInput, match=r"only pictures on its pages: set pages\.ocr: true"):
        parse(made.scan())
    layered = parse(made.scan(layer="The scanned reservoir"))
    assert (said(layered), layered.marks) == ("The scanned reservoir", ["ocr"])


def test_without_tesseract_a_picture_page_takes_no_text_along() -> None:
    with pytest.raises(BadInput, match=r"Tesseract is not installed; install tesseract-ocr"):
        parse(made.scan(), ocr=True)
    assert parse(made.text_pdf("Water"), ocr=True).marks == []
    mixed = parse(made.with_picture("Water flows."), ocr=True)
    assert (said(mixed), mixed.marks, mixed.pages) == ("Water flows.", ["image only"], 2)


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="Tesseract is not installed")
def test_tesseract_reads_a_scan() -> None:
    options = PageOptions(ocr=True)
    parsed = parse_bytes(made.scan(), "a.pdf", options, tesseract(options))
    assert "reservoir" in said(parsed) and parsed.marks == ["ocr"]


def test_a_page_that_cannot_be_read_is_named() -> None:
    parsed = parse(hostile.torn_page())
    assert (said(parsed), parsed.unread, parsed.marks) == ("Water flows.", [2], ["repaired"])


def test_half_a_file_is_read_and_marked() -> None:
    parsed = parse(made.truncated())
    assert parsed.marks == ["repaired"] and parsed.blocks


def test_a_file_that_may_be_read_but_not_changed() -> None:
    assert (said(parse(made.encrypted_owner())), parse(made.encrypted_owner()).marks) == (made.SHOWN, ["encrypted"])


def test_letters_of_no_language_are_marked() -> None:
    assert "garbled" in parse(made.garbled()).marks
    assert parse(made.report(2).data).marks == []


def test_a_page_as_large_as_a_country() -> None:
    assert said(parse(hostile.giant_mediabox())) == made.SHOWN
    for size in (1_000_000, 1_000_000_000):
        assert len(render_page(hostile.giant_mediabox(size), 1)) < 4_000_000
    with pytest.raises(BadInput, match="nothing that can be seen"):
        parse(hostile.giant_mediabox(1_000_000_000))


def test_right_to_left_and_east_asian_text_come_through() -> None:
    assert said(parse(made.rtl())).split("\n") == made.RTL
    assert parse(made.cjk()).blocks[0].text.startswith(made.CJK[0])
    assert all(text in said(parse(made.cjk())) for text in made.CJK)


def test_a_blank_document_is_refused() -> None:
    with pytest.raises(BadInput, match="nothing that can be seen on its 2 pages"):
        parse(made.text_pdf("", " "))


def test_a_turned_page_is_read_in_its_own_direction() -> None:
    document = pymupdf.open()
    page = document.new_page()
    for number, line in enumerate(["The water of the whole reservoir", "was let out in spring."]):
        page.insert_text((100 + 14 * number, 700), line, fontsize=11, rotate=90)
    assert said(parse(bytes(document.tobytes()))) == "The water of the whole reservoir was let out in spring."


def test_pictures_of_pages() -> None:
    data = made.text_pdf("one", "two")
    picture = pymupdf.Pixmap(render_page(data, 2, dpi=72))
    assert (picture.width, picture.height) == (595, 842)
    assert render_page(data, 1) != render_page(data, 2)
    for page in (0, 3):
        with pytest.raises(BadInput, match=f"no page {page}: the document has pages 1 to 2"):
            render_page(data, page)
    with pytest.raises(BadInput, match="not a readable PDF"):
        render_page(b"words", 1)
