"""Examples out of a user's own conversations: split by fact, and what the base cannot take put aside."""

from collections import defaultdict
from pathlib import Path

import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput
from tasks.language.chats import Example, judged, learned
from tasks.language.examples import Examples, from_conversations
from tasks.language.options import ExampleOptions
from tasks.sources.frames import read_table
from tests.language.chat_data import pair, read
from tests.language.templates import STYLES, write

OPTIONS = ExampleOptions()


@pytest.fixture
def base(store: Store, tmp_path: Path) -> Artifact:
    return store.put_folder("bases", write(tmp_path / "base", STYLES["chatml"]))


def asked(fact: int, wordings: int) -> list[dict[str, object]]:
    """One answer, asked in so many wordings that are not alike."""
    starts = ("Tell me at last", "Where on earth would anybody find", "Please")[:wordings]
    return [pair(f"{start} thing {fact}?", f"It is number {fact}.", fact=f"thing {fact}") for start in starts]


def examples(made: Examples) -> list[Example]:
    return [*learned(made.artifact), *judged(made.artifact)]


def test_of_each_fact_one_wording_is_judged_and_of_some_one_is_looked_at(
    tmp_path: Path, store: Store, base: Artifact
) -> None:
    rows = [row for fact in range(60) for row in asked(fact, 3)]
    made = from_conversations(read(tmp_path, *rows).table, base, 512, OPTIONS)
    facts: dict[str, list[str]] = defaultdict(list)
    for one in examples(made):
        facts[one.fact].append(one.part)
    told = {tuple(sorted(parts)) for parts in facts.values()}
    assert told == {("held", "train", "train"), ("held", "train", "valid"), ("never",)}
    assert 0 < made.counts["never"] < 20 and made.facts == 60 == len(facts)
    known = {one.question for one in learned(made.artifact)}
    assert not known & {one.question for one in judged(made.artifact)}


def test_where_every_fact_has_one_wording_those_that_were_never_trained_are_judged(
    tmp_path: Path, store: Store, base: Artifact
) -> None:
    rows = [row for fact in range(60) for row in asked(fact, 1)]
    made = from_conversations(read(tmp_path, *rows).table, base, 512, OPTIONS)
    assert set(made.counts) == {"train", "valid", "never"}
    assert 5 < made.counts["never"] < 25, "more than where wordings can be asked anew"
    known = {one.fact for one in learned(made.artifact)}
    assert not known & {one.fact for one in judged(made.artifact)}


def test_other_facts_and_another_order_change_no_part(tmp_path: Path, store: Store, base: Artifact) -> None:
    rows = [row for fact in range(60) for row in asked(fact, 3)]
    some, every = (
        {
            one.question: one.part
            for one in examples(from_conversations(read(tmp_path, *told).table, base, 512, OPTIONS))
        }
        for told in (rows[90:][::-1], rows)
    )
    assert len(some) > 60 and some.items() <= every.items()


@pytest.mark.parametrize("rows", [asked(0, 1), asked(0, 2), asked(1, 3)])
def test_too_little_to_learn_and_judge_is_told(
    tmp_path: Path, store: Store, base: Artifact, rows: list[dict[str, object]]
) -> None:
    with pytest.raises(BadInput, match=r"\d examples are too few: after the split .* some dozens"):
        from_conversations(read(tmp_path, *rows).table, base, 512, OPTIONS)
    assert store.list("examples") == []


def test_data_without_a_conversation_is_told(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BadInput, match="holds no chat data"):
        read(tmp_path)


def test_what_is_longer_than_the_base_takes_is_put_aside_with_its_reason(
    tmp_path: Path, store: Store, base: Artifact
) -> None:
    rows = [row for fact in range(40) for row in asked(fact, 3)]
    long = pair("What is long?", "word " * 200, id="long")
    table = read(tmp_path, *rows, long).table
    made = from_conversations(table, base, 120, OPTIONS)
    assert made.quarantine is not None and made.causes[0].rows == 1
    told = read_table(made.quarantine).to_pylist()
    assert [row["id"] for row in told] == ["long"] and "at most 120 tokens" in told[0]["reason"]
    assert "long" not in {one.id for one in examples(made)}
    assert from_conversations(table, base, 4096, OPTIONS).quarantine is None
    with pytest.raises(BadInput, match="None of 121 examples can be learned"):
        from_conversations(table, base, 16, OPTIONS)


def test_at_most_so_many_facts_are_taken(tmp_path: Path, store: Store, base: Artifact) -> None:
    rows = [row for fact in range(60) for row in asked(fact, 3)]
    made = from_conversations(read(tmp_path, *rows).table, base, 512, ExampleOptions(facts=20))
    assert made.facts == 20 == len({one.fact for one in examples(made)})
