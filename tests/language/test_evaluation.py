"""A model asked every judged example: losses by hand, answers alone and in a batch, rows in order."""

from collections.abc import Sequence
from typing import Any

import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.language import evaluation
from tasks.language.base import load
from tasks.language.chats import Example, Message, judged
from tasks.language.evaluation import (
    Asked,
    Evaluation,
    Row,
    answers_of,
    ask,
    chosen,
    fits,
    losses_of,
    measured,
    read_rows,
)
from tasks.language.examples import stored
from tasks.language.merging import Merged
from tasks.language.rendering import Chat
from tests.language.room import Room

MOST = 24


@pytest.fixture
def model(room: Room, merged: Merged, room_store: Store) -> tuple[Any, Chat]:
    """The tuned model."""
    folder = room_store.path(merged.artifact)
    return load(folder), Chat(folder)


def unlike(examples: Sequence[Example]) -> list[Example]:
    """Examples of many lengths: some questions are asked with more words before."""
    some = []
    for place, one in enumerate(examples[:12]):
        question = Message(role="user", content="Please, " * (place % 5) + one.question)
        some.append(one.model_copy(update={"messages": (question, *one.messages[1:])}))
    return some


def test_tuning_shows_in_every_measure(evaluations: tuple[Evaluation, Evaluation]) -> None:
    before, after = (one.metrics for one in evaluations)
    assert after["perplexity"].high < before["perplexity"].low and after["f1"].low > before["f1"].value
    assert evaluations[1].cost.cpu_seconds > 0


def test_rows_are_the_examples_in_order(room: Room, evaluations: tuple[Evaluation, Evaluation]) -> None:
    examples = judged(room.examples.artifact)
    expected = chosen(examples, 40)
    for side in evaluations:
        rows = read_rows(side.scores)
        assert [row.id for row in rows] == [one.id for one in expected]
        told = [(row.part, row.fact, row.question, row.expected) for row in rows]
        assert told == [(one.part, one.fact, one.question, one.answer) for one in expected]
        assert side.counts == {"held": 26, "never": 4, "refuse": 10} and side.metrics == measured(rows, 24)


def test_a_loss_is_that_of_the_answers_tokens_by_hand(
    room: Room, model: tuple[Any, Chat], evaluations: tuple[Evaluation, Evaluation]
) -> None:
    import torch

    rows = {row.id: row for row in read_rows(evaluations[1].scores)}
    for example in judged(room.examples.artifact)[::7]:
        tokens, start = model[1].example(example.messages)
        loss = 0.0
        for place in range(start, len(tokens)):
            with torch.inference_mode():
                logits = model[0](input_ids=torch.tensor([tokens[:place]])).logits[0, -1]
            loss -= float(torch.log_softmax(logits, 0)[tokens[place]])
        assert rows[example.id].loss == pytest.approx(loss, rel=1e-3, abs=1e-3)
        assert rows[example.id].tokens == len(tokens) - start


def test_padding_changes_neither_answers_nor_losses(room: Room, model: tuple[Any, Chat]) -> None:
    some = unlike(judged(room.examples.artifact))
    assert len({len(model[1].prompt(one.asked)) for one in some}) > 5
    together, alone = answers_of(*model, some, MOST), [answers_of(*model, [one], MOST)[0] for one in some]
    assert together == alone and len({said for said, _ in together}) > 3
    losses, single = losses_of(*model, some), [losses_of(*model, [one])[0] for one in some]
    assert [loss for loss, _ in losses] == pytest.approx([loss for loss, _ in single], rel=1e-4)
    assert [tokens for _, tokens in losses] == [tokens for _, tokens in single]


def test_an_answer_that_is_cut_has_not_ended(room: Room, model: tuple[Any, Chat]) -> None:
    some = judged(room.examples.artifact)[:8]
    whole, cut = answers_of(*model, some, MOST), answers_of(*model, some, 2)
    assert any(ended for _, ended in whole) and not any(ended for _, ended in cut)
    assert all(said.startswith(start) for (said, _), (start, _) in zip(whole, cut, strict=True))


def test_at_most_so_many_of_each_part_are_asked_spread_over_all(room: Room) -> None:
    examples = judged(room.examples.artifact)
    some = chosen(examples, 5)
    assert [one.part for one in some] == ["held"] * 5 + ["never"] * 4 + ["refuse"] * 5
    held = [one for one in examples if one.part == "held"]
    assert [held.index(one) for one in some[:5]] == [0, 5, 10, 15, 20]
    assert chosen(examples, 1000) == [
        one for part in ("held", "never", "refuse") for one in examples if one.part == part
    ]


def test_what_does_not_fit_is_not_asked(room: Room, room_store: Store) -> None:
    chat = Chat(room_store.path(room.base.artifact))
    example = judged(room.examples.artifact)[0]
    start = len(chat.prompt(example.asked))
    assert fits(example, chat, chat.context - start) and not fits(example, chat, chat.context - start + 1)
    long = (Message(role="user", content="Alpine " * 200), example.messages[-1])
    only = stored([example.model_copy(update={"messages": long})], 1).artifact
    with pytest.raises(BadInput, match="No judged example fits"):
        ask(Asked(model=room.base.artifact, examples=only, most=9, answer_tokens=9), lambda _fact: None)


def test_progress_is_told(room: Room) -> None:
    told: list[dict[str, Any]] = []
    ask(Asked(model=room.base.artifact, examples=room.examples.artifact, most=9, answer_tokens=2), told.append)
    assert told == [{"asked": 16, "of": 22}, {"asked": 22, "of": 22}]


def row(said: str, expected: str, part: str = "held", ended: bool = True) -> Row:
    told = {"id": said, "part": part, "fact": "a", "question": "a", "loss": 2.0, "tokens": 4}
    return Row.model_validate(told | {"said": said, "expected": expected, "ended": ended})


def test_each_part_has_its_measures() -> None:
    rows = [
        row("the room is A7", "The room is A7."),
        row("no no no", "The room is B2.", ended=False),
        row("It is A1.", "It is A1.", "never"),
        row("It is A2.", "It is A1.", "never"),
        row("The documents do not say.", "The documents do not say.", "refuse"),
        row("It is A1.", "The documents do not say.", "refuse"),
    ]
    found = {name: interval.value for name, interval in measured(rows, 64).items()}
    assert found["exact_match"] == 0.5 and found["leaked"] == 0.5 and found["refused"] == 0.5
    assert found["perplexity"] == pytest.approx(2.718281828**0.5)
    assert found["stopped"] == pytest.approx(5 / 6) and found["looped"] == pytest.approx(1 / 6)
    assert "same_language" not in found
    assert measured(rows[:2], 64).keys() & {"leaked", "refused"} == set()


def test_an_answer_in_another_language_is_found() -> None:
    english = "The room of this course is on the second floor of the old house."
    german = "Der Raum dieses Kurses ist im zweiten Stock des alten Hauses am Fluss."
    found = measured([row(english, english), row(german, english)], 64)
    assert found["same_language"].value == 0.5
    assert evaluation.FEW == 8 and "same_language" not in measured([row("ja", english), row("nein", english)], 64)
