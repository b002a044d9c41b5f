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


def test_headings_definitions_days_and_amounts_become_questions() -> None:
    told = {question.question: question for question in proposals(shelf()) if question.answerable}
    assert list(told) == [
        'What does "Floor plan" say about "Cloakroom"?',
        'What does "House rules" say about "Fees"?',
        "What is said about maps, province, stand, second?",
        "What is a deposit?",
        'What is on 3 August 2026 according to "Fees"?',
        'How many books are there according to "Fees"?',
        'What does "House rules" say about "Cloakroom"?',
    ]
    assert told["What is a deposit?"].quote == "A deposit is a sum that a guest leaves for a reader's card."
    assert all(question.document and question.quote for question in told.values())


def test_a_question_with_two_answers_is_not_asked() -> None:
    twice = [chunk(name, 0, "A deposit is a sum that somebody leaves.", title="Rules") for name in ("a.md", "b.md")]
    assert not [question for question in proposals(twice) if question.answerable]


def test_a_document_without_headings_is_asked_about_its_sentences() -> None:
    plain = chunk("ferry.txt", 0, "The ferry leaves the old harbour before sunrise. Nobody waits for late bicycles.")
    asked = [question for question in proposals([plain]) if question.answerable]
    assert [question.question for question in asked] == ["What is said about nobody, waits, late, bicycles?"]
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
    assert asked.proposed and asked.stale == () and (asked.answerable, asked.unanswerable) == (7, 20)
    assert "no person has written golden ones" in asked.notes[0]
    questions, proposed = read_questions(asked.artifact)
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "shelf.yaml").write_text(as_yaml(questions))
    assert proposed and load_golden("shelf", [tmp_path]) == questions
