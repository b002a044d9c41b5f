from tasks.artifacts import current
from tasks.documents.chunk_file import read_chunks
from tasks.retrieval.answerable import DEFAULT_THRESHOLD
from tasks.retrieval.evaluation import answer_words, citation_precision, evaluate, read_rows
from tasks.retrieval.golden import Question, settle
from tasks.retrieval.judges import cases
from tasks.retrieval.plots import draw, missed
from tasks.retrieval.specs import AnswerOptions, SearchOptions
from tests.retrieval.library import QUESTIONS, Library


def test_a_small_library_is_found_answered_and_refused(library: Library) -> None:
    made = evaluate(library.index, library.weights, library.questions, SearchOptions(), AnswerOptions())
    again = evaluate(library.index, library.weights, library.questions, SearchOptions(), AnswerOptions())
    values = {name: interval.value for name, interval in made.metrics.items()}
    assert made == again
    assert made.fitted and (made.questions, made.unanswerable) == (26, 6)
    assert values["recall@10"] >= 0.95 and values["ndcg@10"] >= 0.85
    assert values["recall@1"] <= values["recall@5"] <= values["recall@10"]
    assert values["answered"] >= 0.85 and values["refused"] >= 0.8
    assert values["answer_words"] >= 0.6 and values["citation_precision"] >= 0.6
    rows = read_rows(made.scores)
    assert all(len(row.found) == 5 and row.rank is None for row in rows if not row.answerable)
    assert all(not row.answer and not row.cited for row in rows if not row.answered)


def test_without_a_persons_questions_the_threshold_is_the_default_or_the_recipes(library: Library) -> None:
    proposed = settle(QUESTIONS, library.chunks, proposed=True).artifact
    made = evaluate(library.index, library.weights, proposed, SearchOptions(), AnswerOptions())
    assert (made.threshold, made.fitted, made.proposed) == (DEFAULT_THRESHOLD, False, True)
    few = settle(QUESTIONS[:24], library.chunks).artifact
    assert not evaluate(library.index, library.weights, few, SearchOptions(), AnswerOptions()).fitted
    strict = AnswerOptions(threshold=1.1)
    made = evaluate(library.index, library.weights, library.questions, SearchOptions(), strict)
    assert (made.threshold, made.fitted) == (1.1, False)
    assert made.metrics["answered"].value == 0 and made.metrics["refused"].value == 1


def test_a_follow_up_is_searched_with_what_was_asked_before(library: Library) -> None:
    quote = "trainees and pensioners pay eight"
    told = {"document": "membership.md", "quote": quote}
    questions = (
        Question(id="after", question="And for students?", follows=("What is the membership fee for adults?",), **told),
        Question(id="alone", question="How much do students pay a year?", **told),
    )
    asked = settle(questions, library.chunks).artifact
    rows = read_rows(evaluate(library.index, library.weights, asked, SearchOptions(), AnswerOptions()).scores)
    assert [row.rank for row in rows] == [1, 1] and rows[0].question == "And for students?"


def test_a_judge_is_given_what_the_answer_was_written_from(library: Library) -> None:
    before, quote = "What is the membership fee for adults?", "trainees and pensioners pay eight"
    after = Question(id="after", question="And for students?", follows=(before,), document="membership.md", quote=quote)
    asked = settle((*QUESTIONS, after), library.chunks).artifact
    search = SearchOptions(top_k=2)
    made = evaluate(library.index, library.weights, asked, search, AnswerOptions(threshold=0.0))
    rows = {row.id: row for row in read_rows(made.scores)}
    chunks = {chunk.id: chunk for chunk in read_chunks(current().path(library.chunks))}
    assert all({chunks[name].document for name in row.read} >= set(row.cited) for row in rows.values())
    assert any(set(row.read) != set(row.found) for row in rows.values())  # not the first of the search
    for case in cases(made.scores, asked, library.chunks):
        assert case.contexts == tuple(chunks[name].text for name in rows[case.id].read)
        assert case.question == rows[case.id].asked
    assert rows["after"].asked == "And for students? (membership fee adults)"


def test_answers_and_citations_are_scored_by_their_words_and_documents(library: Library) -> None:
    made = evaluate(library.index, library.weights, library.questions, SearchOptions(), AnswerOptions())
    row = read_rows(made.scores)[0]
    said = row.model_copy(
        update={"expected": "two euros", "answer": "It is TWO.", "document": "a", "cited": ("a", "b")}
    )
    assert answer_words(said) == 0.5 and citation_precision(said) == 0.5
    assert answer_words(said.model_copy(update={"answer": ""})) == 0


def test_pictures_are_drawn_the_same_twice(library: Library) -> None:
    made = evaluate(library.index, library.weights, library.questions, SearchOptions(), AnswerOptions())
    folder = draw(made.scores, made.threshold)
    assert folder == draw(made.scores, made.threshold)
    files = sorted(path.name for path in current().path(folder).iterdir())
    assert files == ["confidence.png", "documents.png", "ranks.png"]
    rows = read_rows(made.scores)
    worse = [row.model_copy(update={"rank": None}) if row.document == "rooms.md" else row for row in rows]
    assert missed(worse)[0] == ("rooms.md", 0.0, 3)
