"""Drafts say what the record says, and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.creative.drafts import CAPTION, COPY, Drafts, Facts, calm, drafted, facts_of, hashtags, sentences, statements
from tasks.sources.products import products

COLUMNS = {"title": "title", "category": "category", "description": "description", "price": "price"}
KETTLE = {
    "title": "Blue kettle",
    "category": "kitchen",
    "description": "It boils a litre in 90 seconds. It will not rust. Sold singly.",
    "price": 34.5,
}


WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*")


def unfounded(drafts: Drafts, facts: Facts) -> list[str]:
    """The words and numbers of a draft that the record does not hold."""
    price = [] if facts.price is None else ["price", f"{facts.price:.2f}"]
    held = {*WORD.findall(f"{facts.title} {facts.category} {facts.description}".lower()), *price}
    said = WORD.findall(f"{drafts.caption} {drafts.ad_copy}".lower())
    tags = "".join(WORD.findall(f"{facts.category} {facts.title}".lower()))
    return [
        *(word for word in said if word not in held),
        *(tag for tag in drafts.hashtags if tag[1:].lower() not in tags),
    ]


def test_a_draft_speaks_of_the_facts() -> None:
    found = drafted(facts_of(KETTLE, COLUMNS))
    assert found and found.caption == "Blue kettle. It boils a litre in 90 seconds"
    assert found.hashtags == ["#kitchen", "#BlueKettle", "#blue", "#kettle"]
    assert found.ad_copy == "Blue kettle. It boils a litre in 90 seconds. It will not rust. Sold singly. Price: 34.50."


def test_a_statement_stays_whole() -> None:
    said = "It weighs 3.5 kg, e.g. with poles. Not for 2.5 year olds! \u00dcber alles? Yes."
    assert sentences(said) == [
        "It weighs 3.5 kg, e.g. with poles.",
        "Not for 2.5 year olds!",
        "\u00dcber alles?",
        "Yes.",
    ]
    long = f"Safe in water {'very ' * 60}only for swimmers."
    found = drafted(Facts(title="Float", description=f"{long} It is red."))
    assert found and found.caption == "Float. It is red" and found.ad_copy == "Float. It is red."
    only = drafted(Facts(title="very " * 60))
    assert only and only.caption.endswith("very\u2026") and len(only.caption) <= CAPTION


def test_where_nothing_is_said_nothing_is_drafted() -> None:
    assert drafted(facts_of({"price": 9.0}, COLUMNS)) is None
    assert drafted(facts_of({"title": None, "category": "", "description": "..."}, COLUMNS)) is None


def test_no_draft_is_markup() -> None:
    found = drafted(
        facts_of({"title": "&lt;script&gt;alert(1)&lt;/script&gt; Tent <img src=x onerror=alert(1) "}, COLUMNS)
    )
    assert found and not set("<>") & set(f"{found.caption}{found.ad_copy}{found.hashtags}")


@pytest.mark.parametrize(
    ("title", "category", "tags"),
    [
        ("Alpha Bravo Charlie Delta Echoes audio", "audio", ["#audio", "#AlphaBravoCharlieDeltaEchoesAudio", "#alpha"]),
        ("Screen 24 x", "2.5 inch", ["#25inch", "#ScreenX", "#screen"]),
        ("\u092a\u0941\u0938\u094d\u0924\u0915", "", ["#\u092a\u0941\u0938\u094d\u0924\u0915"]),
    ],
)
def test_hashtags_are_words(title: str, category: str, tags: list[str]) -> None:
    assert hashtags(Facts(title=title, category=category))[:3] == tags


def test_shouting_is_not_repeated() -> None:
    assert calm("BUY NOW!!! It is blue. UK made") == "Buy now! It is blue. UK made"


@pytest.mark.parametrize("missing", ["title", "category", "description", "price"])
def test_what_the_record_lacks_is_not_made_up(missing: str) -> None:
    record = {name: value for name, value in KETTLE.items() if name != missing}
    found = drafted(facts_of(record, COLUMNS))
    assert found and found.caption and found.ad_copy and unfounded(found, facts_of(record, COLUMNS)) == []
    assert "Price" not in found.ad_copy or missing != "price"


def test_every_made_up_product_gets_drafts_that_hold() -> None:
    for one in products(200):
        facts = facts_of(one.record(), COLUMNS)
        found = drafted(facts)
        assert found and unfounded(found, facts) == [], found
        assert 0 < len(found.caption) <= CAPTION and len(found.ad_copy) <= COPY + 20 and 1 <= len(found.hashtags) <= 5


@given(st.text(max_size=400), st.text(max_size=400), st.none() | st.floats(0, 1e6))
def test_any_text_is_drafted_within_its_bounds(title: str, description: str, price: float | None) -> None:
    facts = facts_of({"title": title, "description": description, "price": price}, COLUMNS)
    found = drafted(facts)
    assert (found is None) == (not statements(facts))
    if found:
        said = " ".join(statements(facts))
        assert len(found.caption) <= CAPTION and len(found.ad_copy) <= COPY + 20
        assert not set("<>") & set(found.ad_copy) and set(found.ad_copy) <= {*said, *"Price: 0123456789.\u2026"}
