"""Which words moved a score: what is left out, and what that changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.creative.classifier import Card, Classifier
from tasks.creative.moving import MOST, moved, runs
from tasks.creative.tfidf import Terms, TfidfScorer

KNOWN = Terms(terms=("good", "bad", "plain"), idf=(1.0, 1.0, 1.0), weights=(3.0, -4.0, 0.0), intercept=0.5)
CLASSIFIER = Classifier(Card(family="tfidf", texts=("text",), classes=(False, True)), TfidfScorer(KNOWN))


def test_words_that_raise_and_lower_the_score() -> None:
    text = "plain good thing"
    (score,) = CLASSIFIER.probabilities([text])
    found = moved(CLASSIFIER, text, score)
    assert found[0].words == "good" and found[0].effect > 0.1
    text = "bad. Some plain words here."
    (score,) = CLASSIFIER.probabilities([text])
    found = moved(CLASSIFIER, text, score)
    assert found[0].words == "bad." and found[0].effect < -0.1
    assert moved(CLASSIFIER, "good", 0.9) == []


@given(st.text(max_size=600))
def test_runs_hold_every_word_once(text: str) -> None:
    found = runs(text)
    assert len(found) <= MOST
    assert [word for start, end in found for word in text[start:end].split()] == text.split()


@pytest.mark.parametrize("words", [1, 2, 11, 12, 13, 300])
def test_as_many_runs_as_there_is_room(words: int) -> None:
    assert len(runs(" ".join(map(str, np.arange(words))))) == min(words, MOST)
