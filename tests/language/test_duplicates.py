"""What repeats another conversation goes; another wording of the same stays."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.language.duplicates import ALIKE, duplicates, jaccard, marked, shingled
from tasks.language.forms import Conversation, conversation

LONG = " ".join(f"word{number}" for number in range(40))
words = st.lists(
    st.sampled_from(["how", "deep", "is", "the", "lake", "of", "bled", "today", "in", "metres"]), min_size=1
)


def asked(question: str, answer: str = "Thirty metres.", **more: object) -> Conversation:
    return conversation({"prompt": question, "completion": answer, **more})


def talk(*said: str, system: str = "Be short.") -> Conversation:
    turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]
    return conversation({"messages": [{"role": "system", "content": system}, *turns]})


@pytest.mark.parametrize(
    "other",
    [
        asked("How deep is the lake?", "thirty  METRES."),
        asked("\uff28\uff4f\uff57 deep is the lake\uff1f"),
        asked("how deep is\tthe\u00a0lake?"),
        asked("HOW DEEP IS THE LAKE"),
        asked("\u201cHow deep is the lake?\u201d"),
    ],
)
def test_case_space_and_marks_make_no_other_question(other: Conversation) -> None:
    assert duplicates([asked("How deep is the lake?"), other]) == {1: 0}


@pytest.mark.parametrize(
    "other",
    [
        asked("Tell me how deep the lake is."),
        asked("How deep is the river?"),
        asked("How deep is the lake?", "Forty metres."),
        asked("What is 2+2?"),
        asked("What is 2*2?"),
    ],
)
def test_another_question_or_answer_is_kept(other: Conversation) -> None:
    first = [asked("How deep is the lake?"), asked("What is 2-2?"), asked("What is 2 2?")]
    assert duplicates([*first, other]) == {}


def test_a_long_question_with_another_end_repeats_only_where_answer_or_fact_is_the_same() -> None:
    first, changed = asked(LONG, fact="depth"), f"{LONG} please"
    assert duplicates([first, asked(changed)]) == {1: 0}
    assert duplicates([first, asked(changed, "It is thirty metres deep.", fact="depth")]) == {1: 0}
    assert duplicates([first, asked(changed, "It is thirty metres deep.", fact="width")]) == {}
    assert duplicates([first, asked(changed, "It is thirty metres deep.")]) == {}
    assert duplicates([first, asked(LONG.replace("word20", "other"))]) == {}  # three shingles of 38 are others


def test_what_was_said_before_counts_to_the_letter() -> None:
    first = talk("The lake?", "Which?", LONG, "Thirty.")
    assert duplicates([first, talk("the lake?", "Which?", f"{LONG} please", "Thirty.")]) == {1: 0}
    assert duplicates([first, talk("The lake", "Which?", f"{LONG} please", "Thirty.")]) == {}
    assert duplicates([first, talk("The lake?", "Which?", LONG, "Thirty.", system="Be long.")]) == {}
    shared = ["Here is a text. " + LONG * 5, "I have read it."]
    assert duplicates([talk(*shared, "Is it good?", "Yes."), talk(*shared, "Is it long?", "Yes.")]) == {}


def test_a_conversation_is_held_to_one_that_stays() -> None:
    chain = [asked(" ".join([LONG, *["again"] * count])) for count in range(8)]
    found = duplicates(chain)
    assert found and all(kept not in found for kept in found.values())
    assert all(_alike(chain[place], chain[kept]) for place, kept in found.items())


def test_what_repeats_a_conversation_that_goes_is_held_to_the_one_that_stays() -> None:
    first, near = asked("how how how"), "how how how how"
    assert duplicates([first, asked(near), asked(near), asked(near.upper())]) == {1: 0, 2: 0, 3: 0}


@given(st.lists(st.tuples(words, st.sampled_from(["Yes.", "yes. ", "No."])), max_size=12))
def test_whatever_goes_is_like_what_stays_and_equal_questions_never_stay(rows: list[tuple[list[str], str]]) -> None:
    made = [asked(" ".join(question), answer) for question, answer in rows]
    found = duplicates(made)
    assert all(kept < place and kept not in found for place, kept in found.items())
    assert all(_alike(made[place], made[kept]) for place, kept in found.items())
    stays = [row for place, row in enumerate(made) if place not in found]
    assert len({(" ".join(sorted(map(str, _shingles(row)))), row.fact) for row in stays}) == len(stays)
    assert duplicates(made) == found


def test_marks_estimate_the_index_and_every_near_pair_of_many_is_found() -> None:
    draw = random.Random(0)
    texts = [" ".join(draw.choices([f"w{number}" for number in range(500)], k=40)) for _ in range(300)]
    one, other = shingled(texts[0]), shingled(" ".join([texts[0], *texts[1].split()[:10]]))
    marks = marked([one, other])
    assert abs(float(np.mean(marks[0] == marks[1])) - jaccard(one, other)) < 0.12
    made = [asked(text) for text in texts] + [asked(f"{text} now") for text in texts]
    assert duplicates(made) == {300 + place: place for place in range(300)}


@pytest.mark.parametrize("question", ["?", "...", "\u6df1\u3055\u306f\uff1f", "\U0001f600"])
def test_a_question_without_words_is_itself(question: str) -> None:
    assert duplicates([asked(question), asked("!!"), asked("\U0001f622")]) == {}
    assert duplicates([asked(question), asked(f" {question} ")]) == {1: 0}


def _shingles(row: Conversation) -> set[int]:
    return set(shingled(row.messages[-2].content).tolist())


def _alike(one: Conversation, other: Conversation) -> bool:
    first, second = _shingles(one), _shingles(other)
    return one.fact == other.fact and len(first & second) / len(first | second) >= ALIKE
