"""What a classifier reads of a record: as it stands, without markup, cut where it is too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.creative.texts import LONGEST, cleaned, has_words, rendered, same

RECORD = {"title": "Blue kettle", "category": "kitchen", "price": 20.5, "stock": 3, "note": None, "new": True}


def test_columns_become_one_text() -> None:
    assert rendered(RECORD, ("title", "price", "note", "category")) == "Blue kettle. price 20.5. kitchen."
    assert rendered(RECORD, ("stock", "new", "gone")) == "stock 3. True."
    assert rendered({"title": "Really? ", "text": "Yes!"}, ("title", "text")) == "Really? Yes!"


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("<p>Strong &amp; light</p><br/>", "Strong & light"),
        ("less < more > less", "less < more > less"),
        ("<SCRIPT type=x>alert('<b>')</Script>A <style>p {}</style>kettle", "A kettle"),
        ("&lt;script&gt;alert(1)&lt;/script&gt; kettle", "kettle"),
        ("a <script>b", "a"),
        ("a\x00b\r\n\tc", "a b c"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u05e9\u05dc\u05d5\u05dd \u0639\u0627\u0644\u0645", "\u05e9\u05dc\u05d5\u05dd \u0639\u0627\u0644\u0645"),
        ("great \U0001f600\U0001f3fd kettle", "great \U0001f600\U0001f3fd kettle"),
        ("", ""),
    ],
)
def test_markup_controls_and_runs_of_blanks_go(raw: str, read: str) -> None:
    assert cleaned(raw) == read


def test_a_text_of_a_megabyte_is_cut() -> None:
    assert cleaned("word " * 200_000) == cleaned("word " * LONGEST)
    assert len(cleaned("word " * 200_000)) <= LONGEST
    assert len(cleaned("<" * 1_000_000)) <= LONGEST


@given(st.text())
def test_what_was_cleaned_is_clean(text: str) -> None:
    once = cleaned(text)
    assert once == " ".join(once.split()) and len(once) <= LONGEST
    assert "\x00" not in once


@pytest.mark.parametrize(
    ("text", "words"), [("", False), ("?!... \x00", False), ("\U0001f600", True), ("7", True), ("\u05e9", True)]
)
def test_only_letters_and_digits_are_words(text: str, words: bool) -> None:
    assert has_words(text) is words


def test_texts_that_differ_in_case_and_punctuation_are_the_same() -> None:
    assert same("Blue KETTLE!!! (new)") == same("blue kettle, new")
    assert same("blue kettle") != same("blue kettles")
