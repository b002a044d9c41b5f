"""Drafts say what the record says, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.creative.drafts import CAPTION, COPY, Drafts, Facts, calm, drafted, facts_of, unfounded
from tasks.sources.products import products

COLUMNS = {"title": "title", "category": "category", "description": "description", "price": "price"}
KETTLE = {
    "title": "Blue kettle",
    "category": "kitchen",
    "description": "It boils a litre in 90 seconds. It will not rust. Sold singly.",
    "price": 34.5,
}


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


@pytest.mark.parametrize(
    ("caption", "loose"),
    [
        ("A blue kettle that boils a litre", []),
        ("Boils in 60 seconds", ["60"]),
        ("The healthiest kettle", ["healthiest"]),
        ("Guaranteed never to rust", ["guaranteed", "never"]),
    ],
)
def test_a_claim_that_the_record_does_not_hold_is_found(caption: str, loose: list[str]) -> None:
    facts = facts_of(KETTLE, COLUMNS)
    assert unfounded(Drafts(caption=caption, hashtags=["#kettle"], ad_copy=""), facts) == loose
    assert unfounded(Drafts(caption="", hashtags=["#organic"], ad_copy=""), Facts(title="Blue kettle")) == ["#organic"]
