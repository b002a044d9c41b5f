"""Our reading of the terms against scikit-learn's own."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from tasks.creative import tfidf
from tasks.creative.tfidf import TfidfScorer
from tasks.sources.products import products

TEXTS = [one.description for one in products(300)]
TARGET = np.array([one.rating >= 3.5 for one in products(300)], dtype=np.float64)
ODD = ["", "?!", "unknown words entirely", "It will RUST, rust and rust.", "na\u00efve caf\u00e9", TEXTS[0] * 3]


def test_log_odds_are_those_of_scikit_learn(tmp_path: Path) -> None:
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = LogisticRegression(C=10, max_iter=1000, tol=1e-5).fit(vectorizer.fit_transform(TEXTS), TARGET)
    (known,) = tfidf.learned(TEXTS, TARGET, [10])
    tfidf.write(tmp_path, known)
    asked = [*TEXTS[:40], *ODD]
    found = TfidfScorer.load(tmp_path).log_odds(asked)
    assert found == pytest.approx(model.decision_function(vectorizer.transform(asked)), abs=1e-9)


@pytest.mark.parametrize("texts", [["\u4e00", "\u4e8c", "\u4e09"], ["one thing", "another matter"], ["\U0001f600", ""]])
def test_where_no_word_comes_twice_it_is_the_constant(texts: list[str]) -> None:
    target = np.array([1.0, 0.0, 1.0][: len(texts)])
    assert [*tfidf.learned(texts, target, [1.0, 10.0])] == [tfidf.constant(target)] * 2


def test_the_constant_is_the_share_whatever_the_text() -> None:
    scorer = TfidfScorer(tfidf.constant(np.array([1.0, 1.0, 1.0, 0.0])))
    assert scorer.log_odds(["a word", ""]) == pytest.approx([np.log(3.5 / 1.5)] * 2)
