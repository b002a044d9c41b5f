"""Drafts say what the record says, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.creative.drafts import CAPTION, COPY, WORD, Drafts, Facts, calm, drafted, facts_of
from tasks.sources.products import products

COLUMNS = {"title": "title", "category": "category", "description": "description", "price": "price"}
KETTLE = {
    "title": "Blue kettle",
    "category": "kitchen",
    "description": "It boils a litre in 90 seconds. It will not rust. Sold singly.",
    "price": 34.5,
}


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
    assert found.caption == "Blue kettle. It boils a litre in 90 seconds"
    assert found.hashtags == ["#kitchen", "#BlueKettle", "#blue", "#kettle"]
    assert found.ad_copy == "Blue kettle. It boils a litre in 90 seconds. It will not rust. Sold singly. Price: 34.50."


def test_shouting_is_not_repeated() -> None:
    assert calm("BUY NOW!!! It is blue. UK made") == "Buy now! It is blue. UK made"


@pytest.mark.parametrize("missing", ["title", "category", "description", "price"])
def test_what_the_record_lacks_is_not_made_up(missing: str) -> None:
    record = {name: value for name, value in KETTLE.items() if name != missing}
    found = drafted(facts_of(record, COLUMNS))
    assert found.caption and found.ad_copy and unfounded(found, facts_of(record, COLUMNS)) == []
    assert "Price" not in found.ad_copy or missing != "price"


def test_every_made_up_product_gets_drafts_that_hold() -> None:
    for one in products(200):
        facts = facts_of(one.record(), COLUMNS)
        found = drafted(facts)
        assert unfounded(found, facts) == [], found
        assert 0 < len(found.caption) <= CAPTION and len(found.ad_copy) <= COPY + 20 and 1 <= len(found.hashtags) <= 5


@given(st.text(max_size=400), st.text(max_size=400), st.none() | st.floats(0, 1e6))
def test_any_text_is_drafted_within_its_bounds(title: str, description: str, price: float | None) -> None:
    found = drafted(facts_of({"title": title, "description": description, "price": price}, COLUMNS))
    assert len(found.caption) <= CAPTION and len(found.ad_copy) <= COPY + 20
