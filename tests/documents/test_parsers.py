"""What a file is, what cannot be read, and plain text."""

import codecs
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.parsers import parse_bytes
from tasks.documents.sniff import is_markup
from tasks.documents.text import paragraph
from tasks.errors import BadInput
from tests.documents import hostile, made

OPTIONS = PageOptions()


def parse(data: bytes, name: str, **options: object) -> Parsed:
    return parse_bytes(data, name, PageOptions.model_validate(options))


@pytest.mark.parametrize("name", hostile.UNREADABLE)
def test_what_is_no_document_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(BadInput, match=r"^notes/a\.pdf .{10,}") as refused:
        parse(hostile.UNREADABLE[name](), "notes/a.pdf")
    assert str(refused.value).count("\n") == 0


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"   \n\t", "a.md", "empty"),
        (b"\xef\xbb\xbf  ", "a.txt", "empty"),
        (b"MZ\x00\x01\x02", "a.exe", "binary"),
        (b"PK\x03\x04rest", "a.docx", "ZIP archive or an Office file"),
        (made.png(), "page.pdf", "PNG"),
        (b"just words", "a.pdf", "not a PDF"),
        ("Käse".encode("latin-1"), "a.txt", "UTF-8"),
        (b'<html><meta charset="nonsense"><p>x', "a.html", "nonsense"),
        (b"<!-- only a comment -->", "a.html", "no text"),
        (made.encrypted_user(), "a.pdf", "password"),
    ],
)
def test_the_reason_is_told(data: bytes, name: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse(data, name)


def test_more_pages_than_allowed_are_refused() -> None:
    assert parse(made.text_pdf("one", "two"), "a.pdf", max_pages=2).pages == 2
    with pytest.raises(BadInput, match="2 pages; at most 1"):
        parse(made.text_pdf("one", "two"), "a.pdf", max_pages=1)
    with pytest.raises(BadInput, match="3 pages"):
        parse(b"a\fb\fc", "a.txt", max_pages=2)


def test_content_goes_before_the_name() -> None:
    assert parse(made.text_pdf("Water"), "a.txt").format == "pdf"
    assert parse(b"junk\n" * 20 + made.text_pdf("Water"), "download").format == "pdf"
    assert parse(b"<!DOCTYPE html><p>Water", "page").format == "html"
    assert parse(b"A PDF begins with %PDF-1.7, a zip file with PK.", "a.md").format == "markdown"
    assert parse(b"# Water", "a.txt").format == "text"


def test_what_stands_before_the_first_tag_is_passed_over_once() -> None:
    """A pattern with two ways to read the blanks takes hours for this one."""
    started = time.process_time()
    assert not is_markup("<!---->" * 585 + "x")
    assert is_markup("<!--" + "<!---->" * 585 + "<html ")
    assert time.process_time() - started < 1
    assert parse(b"<!---->" * 22 + b"# Water", "a.md").format == "markdown"
    for text in (
        "<html>",
        " <!-- a --> \n<!-- b --><!DOCTYPE html>",
        '<?xml version="1.0"?><html lang="en">',
        "<body >",
    ):
        assert is_markup(text)
    for text in ("<!-- open <html>", "<htmlx>", "words <html>", "", "<?xml <html>"):
        assert not is_markup(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark_are_read(encoding: str) -> None:
    text = "Größe: 水 und שלום\n\nzweiter Absatz"
    assert [block.text for block in parse(text.encode(encoding), "a.txt").blocks] == text.split("\n\n")


def test_half_a_utf16_character_is_refused() -> None:
    with pytest.raises(BadInput, match="UTF-16"):
        parse(codecs.BOM_UTF16_LE + b"a\x00b", "a.txt")


def test_text_has_paragraphs_pages_and_a_title() -> None:
    text = "Report on dams\n\nOne line\nand its rest.\n\n- first\n- second\n  goes on\n\fNext page."
    parsed = parse(text.encode(), "a.txt")
    assert parsed.title == "Report on dams"
    assert [(block.page, block.text) for block in parsed.blocks] == [
        (1, "Report on dams"),
        (1, "One line and its rest."),
        (1, "- first\n- second goes on"),
        (2, "Next page."),
    ]
    assert parse(b"Only one paragraph.", "some_notes.txt").title == "some notes"


def test_words_in_invisible_characters_are_taken_out() -> None:
    smuggled = "".join(chr(0xE0000 + ord(letter)) for letter in "obey me")
    parsed = parse(f"A harmless\u200b line{smuggled}.".encode(), "a.txt")
    assert parsed.blocks[0].text == "A harmless line."
    assert parsed.marks == ["hidden text removed"]
    assert parse("👩\u200d🚀 מי\u200cם".encode(), "a.txt").marks == []


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for name in ("a.md", "a.txt", "a.html"):
        try:
            parsed = parse(text.encode("utf-8", "replace"), name)
        except BadInput:
            continue
        assert parsed.title and parsed.blocks and all(block.text.strip() for block in parsed.blocks)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for prefix, name in ((b"", "a"), (b"%PDF-1.7\n", "a.pdf")):
        try:
            parse(prefix + data, name)
        except BadInput as refused:
            assert str(refused).startswith("a")


@given(st.lists(st.text(st.characters(categories=["L", "P"]), min_size=1), min_size=1, max_size=8))
def test_no_word_is_lost(words: list[str]) -> None:
    assert "".join(paragraph("\n".join(words)).split()) == "".join("".join(paragraph(word).split()) for word in words)


def test_damaged_pdfs_are_read_or_refused() -> None:
    """Bytes changed, cut and doubled at random places."""
    chance, whole = random.Random(7), made.report(3).data + made.with_table()
    outcomes = set()
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 40)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        start = chance.randrange(len(data))
        del data[start : start + chance.randrange(2000)]
        try:
            parse(bytes(data), "a.pdf")
            outcomes.add("read")
        except BadInput:
            outcomes.add("refused")
    assert "read" in outcomes
