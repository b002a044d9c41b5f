"""What the documents can answer is told from what they cannot, on small and large corpora."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.artifacts import Artifact
from tasks.errors import BadInput
from tasks.retrieval.answerable import DEFAULT_THRESHOLD, best, confidence, cover, fit_threshold, units
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.store import Hit
from tests.retrieval.answering import hit
from tests.retrieval.pieces import chunk

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=20)
ANSWERABLE = (
    "When is homework 1 due?",
    "Which sections must the final project report have?",
    "What should I judge when I peer review the presentation videos?",
    "What does Jensen's inequality say?",
    "How does k-means clustering proceed?",
    "Which kernel functions are used with support vector machines?",
    "When is a symmetric matrix positive semi-definite?",
    "What do the gates of an LSTM do?",
    "How do precision and recall differ?",
    "What is Bayes' rule?",
    "What is the late work policy?",
    "Which font must the project proposal use?",
)
UNANSWERABLE = (
    "Who won the football world cup in 1998?",
    "How long do I bake a sourdough loaf?",
    "What is the boiling point of tungsten?",
    "When is homework 7 due?",
    "Which GPU is needed to train the LSTM?",
    "What is the tuition fee of the course?",
    "When was Bayes born?",
    "What is the phone number of the instructor?",
    "Which dropout rate did AlexNet use?",
    "What is the salary of the teaching assistant?",
)


def test_an_invented_name_counts_even_where_no_model_knows_it() -> None:
    note = hit("n.md", "The Zyxwor fountain in the north court was repaired in 1987.", cosine=0.3)
    assert confidence("When was the Zyxwor fountain repaired?", [note]) > DEFAULT_THRESHOLD
    assert confidence("When was the Brixlum fountain painted?", [note]) < DEFAULT_THRESHOLD


def test_a_number_belongs_to_the_word_before_it() -> None:
    first = hit("h.md", "Homework 1 is due on Thursday, there are 7 parts.", cosine=0.5)
    assert confidence("When is homework 1 due?", [first]) > confidence("When is homework 7 due?", [first]) + 0.2


def test_a_paraphrase_lives_by_its_cosine_and_nothing_gives_nothing() -> None:
    assert confidence("Is cheating sanctioned?", [hit("a.md", "Copying is punished.", cosine=0.7)]) > DEFAULT_THRESHOLD
    assert confidence("Is cheating sanctioned?", []) == 0
    assert confidence("What is it?", [hit("a.md", "", cosine=0.2)]) == 0.2


@given(st.text(max_size=60), st.text(max_size=200), st.floats(-1, 1))
def test_confidence_is_a_share_whatever_is_asked(question: str, text: str, cosine: float) -> None:
    assert 0 <= confidence(question, [hit("a.md", text, cosine=cosine)]) <= 1
    assert 0 <= cover(units(question), text) <= 1


def test_what_the_question_names_comes_first_among_the_hits() -> None:
    talk = [hit(f"{number}.md", "Homework is due on its due date.", cosine=0.5) for number in range(8)]
    named = hit("h.md", "Due Date: Thursday", title="Homework 1", cosine=0.3)
    found, _ = best("When is homework 1 due?", [*talk, named], 5)
    assert found[0] == named and found[1:] == talk[:4]


def test_the_best_are_told_with_their_own_confidence() -> None:
    question = "When is homework 1 due?"
    late = [hit(f"{number}.md", "Nothing of it.", cosine=0.4) for number in range(9)]
    hits = [*late, hit("h.md", "Homework is due.", cosine=0.41)]
    for count in (1, 2, 10):
        found, sure = best(question, hits, count)
        assert len(found) == count and sure == confidence(question, found)
    assert best(question, [], 5) == ([], 0.0)


@given(SHARES, SHARES)
def test_the_fitted_threshold_is_as_good_as_any(answerable: list[float], unanswerable: list[float]) -> None:
    def balanced(bound: float) -> float:
        kept = np.mean([value >= bound for value in answerable])
        return float(kept + np.mean([value < bound for value in unanswerable]))

    found = balanced(fit_threshold(answerable, unanswerable))
    assert all(found >= balanced(bound) - 1e-9 for bound in [*answerable, *unanswerable, 0, 1.1])


def test_a_threshold_stands_in_the_middle_of_the_gap() -> None:
    assert fit_threshold([0.8, 0.9], [0.2, 0.4]) == pytest.approx(0.6)
    with pytest.raises(BadInput):
        fit_threshold([0.5], [])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_real_documents_are_told_apart_by_the_default(
    shared_data: Path, minilm_folder: Path, minilm_weights: Artifact
) -> None:
    embedder = Embedder(minilm_folder, minilm_weights.digest, 2)
    chunks = [piece for path in sorted((shared_data / "pdfs").glob("*.pdf")) for piece in cut(path)]
    vectors = np.stack(list(embedder.passages([one.embedded for one in chunks])))

    def sure(question: str) -> float:
        cosines = vectors @ embedder.query(question)
        words = np.array([cover(units(question), one.embedded) for one in chunks])
        order = np.argsort(-(cosines + words))[:20]
        hits = [Hit(chunk=chunks[at], score=0, cosine=float(cosines[at])) for at in order]
        return best(question, hits, 5)[1]

    can, cannot = [sure(one) for one in ANSWERABLE], [sure(one) for one in UNANSWERABLE]
    kept = np.mean([value >= DEFAULT_THRESHOLD for value in can])
    refused = np.mean([value < DEFAULT_THRESHOLD for value in cannot])
    assert kept >= 0.9 and refused >= 0.9, (can, cannot)
    assert np.mean([yes > no for yes in can for no in cannot]) >= 0.97


def cut(path: Path) -> list:  # type: ignore[type-arg]
    """Pages cut after about 150 words, titled by their first line: what any parser gives at least."""
    import pymupdf

    with pymupdf.open(path) as document:
        pages = [page.get_text() for page in document]
    title = " ".join(pages[0].split("\n")[:3])
    made = []
    for number, page in enumerate(pages):
        words = re.findall(r"\S+\s*", page)
        made += [
            chunk(path.name, number, "".join(words[at : at + 150]), title=title) for at in range(0, len(words), 120)
        ]
    return made


def german(text: str, language: str = "de") -> Hit:
    plain = hit("a.md", text, cosine=0.3)
    return plain.model_copy(update={"chunk": plain.chunk.model_copy(update={"language": language})})


def test_words_are_read_in_the_language_of_the_passage() -> None:
    """Function words of German are in every text of it: they are no sign of an answer, and its stems are its own."""
    foreign = german("Der Hof ist an dem Fluss und das Tor ist aus Holz, wie es die Leute in der Stadt wollen.")
    right = german("Die Bücher werden für vier Wochen ausgeliehen.")
    question = "Wie lange ist das Buch in der Bücherei ausgeliehen?"
    assert confidence(question, [foreign]) == pytest.approx(0.75 * 0.3)
    assert confidence(question, [right]) > 0.35
    assert best(question, [foreign, right], 1)[0] == [right]


def test_without_stop_words_the_cosine_stands_alone() -> None:
    same = "貸出期間は四週間です。"
    assert confidence(same, [german(same, "ja")]) == pytest.approx(0.3)
