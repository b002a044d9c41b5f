from pathlib import Path

import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput, NotFound
from tasks.retrieval.golden import FEWEST_ANSWERABLE, Question, holds, load_golden, read_questions, settle, words
from tests.retrieval.pieces import chunk, put_chunks

FILE = """
questions:
  - id: fee
    question: What does a late return cost?
    document: rules.md
    quote: A late return costs two euros a day.
    answer: two euros
  - {id: moon, question: Who first walked on the moon, answerable: false}
  - {id: also, question: And a lost book, document: rules.md, follows: [What does a late return cost]}
"""


def written(folder: Path, text: str) -> list[Path]:
    (folder / "golden").mkdir()
    (folder / "golden" / "library.yaml").write_text(text)
    return [folder]


def test_a_file_is_read_with_its_earlier_questions(tmp_path: Path) -> None:
    questions = load_golden("library", written(tmp_path, FILE))
    assert [question.id for question in questions] == ["fee", "moon", "also"]
    assert questions[0].answer == "two euros" and not questions[1].answerable
    assert questions[2].follows == ("What does a late return cost",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("questions: []", "questions: .*at least 1 item"),
        ("questions: [{id: a, question: Why}]", "question 'a' names no document"),
        ("questions: [{id: a, question: Why, quote: because}]", "question 'a' names no document"),
        ("questions: [{id: a, question: Why, answerable: false, quote: so}]", "question 'a' is not answerable"),
        ("questions: [{id: a, question: Why, document: d, quote: '...'}]", "has a quote without words"),
        ("questions: [{id: a, question: Why, document: d, page: 3}]", "questions.0.page"),
        ("questions: [{id: a, question: Q, document: d}, {id: a, question: R, document: d}]", "several .* the id a;"),
        ("fragen: []", "unknown field 'fragen'"),
        ("questions: [", "not readable YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        load_golden("library", written(tmp_path, text))
    assert "library.yaml" in str(caught.value)


def test_an_unknown_name_tells_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="did you mean 'library'"):
        load_golden("libary", written(tmp_path, FILE))


def test_quotes_are_found_whatever_their_case_spaces_and_small_edits() -> None:
    text = words("Please note: a late\nreturn costs  TWO euros a day, every day.")
    assert holds(text, words("A late return costs two euros a day."))
    assert holds(text, words("A late return always costs two euros a day"))
    assert not holds(text, words("A lost book costs twenty euros a copy"))
    assert not holds(words("day a euros two costs return late a"), words("a late return costs two euros a day"))
    assert not holds(text, words("euros two"))


def test_stale_questions_are_told_and_left_out(store: Store) -> None:
    chunks = put_chunks([chunk("rules.md", 0, "A late return costs two euros a day. Books are lent for a month.")])
    asked = settle(
        (
            Question(id="fee", question="Late?", document="rules.md", quote="A late return costs two euros a day."),
            Question(id="term", question="How long?", document="rules.md"),
            Question(id="gone", question="Where?", document="map.md", quote="second floor"),
            Question(id="edited", question="Lost?", document="rules.md", quote="A lost book must be replaced at once."),
            Question(id="moon", question="The moon?", answerable=False),
        ),
        chunks,
    )
    assert (asked.answerable, asked.unanswerable, asked.proposed) == (2, 1, False)
    assert [stale.id for stale in asked.stale] == ["gone", "edited"]
    assert "no document 'map.md'" in asked.notes[1] and "its quote is not in 'rules.md'" in asked.notes[2]
    assert [question.id for question in read_questions(asked.artifact)[0]] == ["fee", "term", "moon"]


def test_a_quote_that_bad_chunks_cut_apart_is_not_stale(store: Store) -> None:
    parts = ["A late return", "return costs two", "two euros a", "a day"]
    chunks = put_chunks([chunk("rules.md", place, text) for place, text in enumerate(parts)])
    quote = "A late return costs two euros a day."
    questions = tuple(Question(id=name, question="Late?", document="rules.md", quote=quote) for name in "ab")
    assert settle(questions, chunks).stale == ()


def test_a_corpus_that_no_question_fits_is_refused(store: Store) -> None:
    chunks = put_chunks([chunk("rules.md", 0, "Books are lent for a month.")])
    with pytest.raises(BadInput, match=r"Only 0 answerable golden questions .* a: there is no document 'map.md'"):
        settle((Question(id="a", question="Where?", document="map.md"),), chunks)


def test_a_corpus_too_small_to_propose_questions_from_tells_where_to_write_them(store: Store) -> None:
    chunks = put_chunks([chunk("rules.md", 0, "Books are lent for a month.")])
    questions = (
        Question(id="a", question="How long?", document="rules.md"),
        *(Question(id=f"f{number}", question="The moon?", answerable=False) for number in range(20)),
    )
    told = rf"Only 1 answerable questions .* at least {FEWEST_ANSWERABLE} .*data/golden/NAME.yaml .* `golden: NAME`"
    with pytest.raises(BadInput, match=told) as caught:
        settle(questions, chunks, proposed=True)
    assert "21" not in str(caught.value)
    with pytest.raises(BadInput, match="Only 1 answerable golden questions"):
        settle(questions, chunks)


def test_languages_without_stop_words_are_told(store: Store) -> None:
    question = Question(id="q", question="Why?", document="rules.md")
    pieces = [chunk("rules.md", 0, "One."), chunk("rules.md", 1, "一つ。").model_copy(update={"language": "ja"})]
    asked = settle((question, question.model_copy(update={"id": "r"})), put_chunks(pieces))
    assert asked.wordless == ("ja",) and "no stop words for ja" in asked.notes[-1]
    assert settle((question, question.model_copy(update={"id": "r"})), put_chunks(pieces[:1])).wordless == ()
