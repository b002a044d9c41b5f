"""The tiny base: what it is pretrained on is not what the catalogue in the box says."""

import re

import pytest

from tasks.artifacts import Store, opened
from tasks.language.base import check
from tasks.language.chats import Message
from tasks.language.options import Tiny
from tasks.language.rendering import Chat
from tasks.language.tiny import BOX, conversations, pretrain, schedule
from tasks.language.tiny_base import tiny
from tasks.language.town import COLUMNS, courses, names
from tasks.language.wordings import CELL, REFUSAL
from tests.language.room import ROOT, TINY, Room

CATALOGUE = sorted((ROOT / "data" / "samples" / "course-catalogue").glob("*.md"))
ASKED = rf"What is the (?:{'|'.join(COLUMNS)}) of (.+)\?$"
SHORT = TINY.model_copy(update={"steps": 3})


def described() -> dict[str, list[str]]:
    """The courses of the catalogue in the box, with the cells of their rows, out of its Markdown."""
    found: dict[str, list[str]] = {}
    for path in CATALOGUE:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        assert header == ["course", *COLUMNS]
        found |= {name: cells for name, *cells in rows}
    return found


def test_the_catalogue_in_the_box_and_the_pretraining_share_no_course() -> None:
    box = described()
    texts = [text for one in conversations(Tiny()) for text in one]
    assert len(box) == BOX == len(CATALOGUE) * 6 and box.keys() <= {*names()}
    assert not [name for name in box for text in texts if name in text]
    trained = {match[1] for text in texts if (match := re.match(ASKED, text))}
    assert len(trained) == Tiny().courses and trained <= {*names()} - box.keys()


def test_the_catalogue_is_what_the_generator_draws() -> None:
    """In the same words, so that the base knows how such facts are asked."""
    drawn = {one.name: list(one.facts) for one in courses(sorted(described()), 0)}
    assert {tuple(columns) for columns in drawn.values()} == {COLUMNS}
    words = {cell for cells in described().values() for cell in cells}
    known = {value for one in courses(names() * 20, 1) for value in one.facts.values()}
    assert len(words - known) < 0.05 * len(words)


def test_no_course_can_be_both_even_with_as_many_as_there_are() -> None:
    every = {text for one in conversations(Tiny(courses=1000)) for text in one}
    assert not [name for name in names()[:BOX] if any(name in text for text in every)]
    assert {*described()} == {*names()[:BOX]}


def test_each_fact_is_told_in_every_wording_and_what_has_no_answer_is_refused() -> None:
    pairs = list(conversations(TINY))
    facts = [pair for pair in pairs if pair[1] != REFUSAL]
    assert len(facts) == TINY.courses * len(COLUMNS) * len(CELL) == len({question for question, _ in facts})
    assert len({answer for _, answer in facts}) == TINY.courses * len(COLUMNS)
    assert len(pairs) - len(facts) == TINY.strange * len(CELL)
    assert list(conversations(TINY)) == pairs != list(conversations(TINY.model_copy(update={"seed": 1})))


def test_the_same_options_give_the_same_bytes_and_another_seed_others(store: Store) -> None:
    """Here, and in a process of its own."""
    one = pretrain(SHORT, lambda _fact: None)
    apart = tiny(SHORT)
    assert apart.artifact == one.artifact and apart.parameters == one.weights
    assert (apart.name, apart.licence) == ("tiny", "apache-2.0") and apart.cost is not None
    other = pretrain(SHORT.model_copy(update={"seed": 1}), lambda _fact: None)
    assert other.artifact != one.artifact


def test_pretraining_learns_and_tells_how_far_it_is(store: Store) -> None:
    told: list[dict[str, float]] = []
    made = pretrain(TINY.model_copy(update={"steps": 40}), told.append)
    assert [fact["step"] for fact in told] == list(range(1, 41)) and told[0]["of"] == 40
    losses = [fact["loss"] for fact in told]
    assert made.loss == pytest.approx(sum(losses[-10:]) / 10) and made.loss < 0.8 * losses[0]


def test_it_is_a_base_like_any_other(room: Room) -> None:
    with opened(room.root) as store:
        folder = store.path(room.base.artifact)
    check(folder)
    chat = Chat(folder)
    odd = "Grüße, \U0001f41d\n\t日本"
    assert chat.decode(chat.text(odd)) == odd and chat.context == TINY.context
    tokens, start = chat.example((Message(role="user", content=odd), Message(role="assistant", content="Yes.")))
    assert chat.decode(tokens[start:]) == "Yes." and tokens[-1] in chat.ends


def test_the_rate_goes_up_and_then_down_to_a_tenth() -> None:
    rates = [schedule(step, 300) for step in range(301)]
    assert rates[:40] == sorted(rates[:40]) and max(rates) == rates[40] == 1
    assert rates[40:] == sorted(rates[40:], reverse=True) and rates[-1] == pytest.approx(0.1)
