"""Follow-ups take along what they lean on; questions that stand alone stay as they are."""

import pytest

from tasks.retrieval.followups import standalone

DIALOGUES = [
    (["When is homework 1 released?"], "and when is it due?", ["homework", "1"]),
    (["Tell me about the project report."], "How long may it be?", ["project", "report"]),
    (["Tell me about the project report."], "What is the deadline?", ["project", "report"]),
    (["Who teaches the course?"], "Where is their office?", ["teaches", "course"]),
    (["What is dropout?"], "Why?", ["dropout"]),
    (["Which font must the proposal use?", "And how long can it be?"], "Who reads it?", ["proposal"]),
    (["How are labs graded?"], "What about late ones?", ["labs", "graded"]),
    (["When is homework 1 due?"], "What about homework 2?", ["due"]),
]


@pytest.mark.parametrize(("earlier", "question", "carried"), DIALOGUES)
def test_a_follow_up_takes_its_topic_along(earlier: list[str], question: str, carried: list[str]) -> None:
    found = standalone(question, earlier)
    assert found.startswith(question)
    assert set(carried) <= set(found.removeprefix(question).strip(" ()").split())


@pytest.mark.parametrize(
    "question",
    [
        "How does k-means clustering proceed?",
        "What is dropout?",
        "Is it possible to submit the project report after the deadline?",
        "Which models that use trees are described?",
    ],
)
def test_a_question_that_stands_alone_stays(question: str) -> None:
    assert standalone(question, ["When is homework 1 due?"]) == question
    assert standalone(question, []) == question


def test_another_number_replaces_the_one_before_and_an_acronym_is_not_carried() -> None:
    assert "1" not in standalone("What about homework 2?", ["When is homework 1 due?"])
    assert "PCA" not in standalone("What about k-means?", ["How does PCA work?"])


def test_an_aside_does_not_hide_the_topic() -> None:
    found = standalone("When is it due?", ["Who grades the final report?", "Why?", "Really?"])
    assert "report" in found


def test_odd_texts() -> None:
    assert standalone("?", ["…", ""]) == "?"
    assert standalone("Und wann?", ["Wer liest den Bericht?"]).startswith("Und wann?")
