from pathlib import Path

from tasks.artifacts import Store
from tasks.documents.chunk_file import Chunk
from tasks.retrieval.golden import load_golden, read_questions
from tasks.retrieval.propose import FOREIGN, MOST, PER_DOCUMENT, as_yaml, proposals, propose
from tests.retrieval.pieces import chunk, put_chunks


def shelf() -> list[Chunk]:
    fees = (
        "A late return costs two euros a day. A deposit is a sum that a guest leaves for a reader's card. "
        "The reading room closes for repairs on 3 August 2026. Every reader may borrow 12 books at the same time."
    )
    return [
        chunk("rules.md", 0, fees, "Fees", "House rules"),
        chunk("rules.md", 1, "Visitors leave their coats and bags at the desk.", "Cloakroom", "House rules"),
        chunk("map.md", 0, "The maps of the province stand on the second floor.", "Cloakroom", "Floor plan"),
    ]


def test_headings_definitions_and_days_become_questions() -> None:
    told = {question.question: question for question in proposals(shelf()) if question.answerable}
    assert list(told) == [
        'What does "Floor plan" say about "Cloakroom"?',
        'What does "House rules" say about "Fees"?',
        "What is said about maps, province, stand, second?",
        "What is a deposit?",
        'What happens on 3 August 2026 according to "Fees"?',
        'What does "House rules" say about "Cloakroom"?',
    ]
    assert told["What is a deposit?"].quote == "A deposit is a sum that a guest leaves for a reader's card."
    assert all(question.document and question.quote for question in told.values())


def test_nothing_is_asked_that_only_looks_like_a_term_a_day_or_an_amount() -> None:
    told = (
        "Task 2 gives you a leaking pump. Task 3 asks you for a drawing of the sluice. "
        "where Q is the flow through the gate and k is a constant of the pipe. Your weekly log is the last sheet. "
        "The first is a plan of the canal. Steady hands are a sign of long practice here. "
        "Valve 4 is a gate near the weir. X is the width of the weir. "
        "Sluices are a kind of door in a canal; long ago sluices were of oak. Weirs is the second part. "
        "This edition replaces the one of 4 May 2021 in all copies. The gauge reads 1/20 litres in the lower basin."
    )
    lock = chunk("lock.md", 0, told, "Sluices", "Keeping a lock")
    assert [question.question for question in proposals([lock]) if question.answerable] == [
        'What does "Keeping a lock" say about "Sluices"?',
        "What are sluices?",
        "What is said about valve, gate, near, weir?",
    ]


def test_a_plain_question_names_a_whole_sentence_and_no_word_that_only_joins_it() -> None:
    text = "However, discuss every change of the sluice with Prof. Moreover the keeper oils each hinge in spring."
    asked = [question for question in proposals([chunk("keeper.txt", 0, text)]) if question.answerable]
    assert asked[0].question == "What is said about keeper, oils, hinge, spring?"
    assert not any("however" in question.question for question in asked)


def test_a_dozen_short_documents_are_asked_enough() -> None:
    things = ["pump", "sluice", "weir", "dam", "lock", "wheel", "gate", "basin", "canal", "turbine", "bridge", "ferry"]
    texts = [f"The {thing} is painted in spring. Rust on the {thing} is scraped by the keeper." for thing in things]
    pieces = [chunk(f"{thing}.txt", 0, text) for thing, text in zip(things, texts, strict=True)]
    assert sum(question.answerable for question in proposals(pieces)) >= 20


def test_a_question_with_two_answers_is_not_asked() -> None:
    twice = [chunk(name, 0, "A deposit is a sum that somebody leaves.", title="Rules") for name in ("a.md", "b.md")]
    assert not [question for question in proposals(twice) if question.answerable]


def test_a_document_without_headings_is_asked_about_its_sentences() -> None:
    plain = chunk("ferry.txt", 0, "The ferry leaves the old harbour before sunrise. Nobody waits for late bicycles.")
    asked = [question for question in proposals([plain]) if question.answerable]
    assert [question.question for question in asked] == [
        "What is said about nobody, waits, late, bicycles?",
        "What is said about ferry, leaves, old, harbour?",
    ]
    assert asked[0].quote == "Nobody waits for late bicycles."


def test_many_documents_share_the_hundred() -> None:
    pieces = [
        chunk(f"{place:02}.md", part, f"The chapter about item {place} {part} has some words.", f"Item {place} {part}")
        for place in range(30)
        for part in range(40)
    ]
    asked = [question for question in proposals(pieces) if question.answerable]
    shares = [sum(question.document == f"{place:02}.md" for question in asked) for place in range(30)]
    assert len(asked) == MOST and min(shares) >= 3 and max(shares) <= 4
    assert len([question for question in proposals(pieces[:40]) if question.answerable]) == PER_DOCUMENT


def test_a_foreign_question_that_the_corpus_answers_is_left_out() -> None:
    known = chunk("space.md", 0, "Titan, a moon of Saturn, has lakes of liquid methane.")
    foreign = [question.question for question in proposals([known]) if not question.answerable]
    assert len(foreign) == len(FOREIGN) - 1 and not any("methane" in question for question in foreign)


def test_proposals_are_settled_said_and_written_for_review(store: Store, tmp_path: Path) -> None:
    asked = propose(put_chunks(shelf()))
    assert asked == propose(put_chunks(shelf()))
    assert asked.proposed and asked.stale == () and (asked.answerable, asked.unanswerable) == (6, 20)
    assert "no person has written golden ones" in asked.notes[0]
    questions, proposed = read_questions(asked.artifact)
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "shelf.yaml").write_text(as_yaml(questions))
    assert proposed and load_golden("shelf", [tmp_path]) == questions
