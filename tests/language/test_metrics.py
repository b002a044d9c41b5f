"""Scores of answers beside values that were computed by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.language.metrics import (
    bleu,
    bleu_terms,
    difference,
    exact,
    f1,
    looping,
    mean,
    perplexity,
    perplexity_difference,
    rouge_l,
    words,
)
from tasks.statistics import Interval, intervals

texts = st.text(st.sampled_from("ab .,'THEthe:-_é"), max_size=30)


def wide(interval: Interval) -> float:
    return interval.high - interval.low


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert words("The  exam, of Alpine-Botany is at 8:00!") == [
        "the",
        "exam",
        "of",
        "alpine-botany",
        "is",
        "at",
        "8:00",
    ]
    assert exact("ROOM a7.", "Room A7") == 1 and exact("Room A7", "Room A71") == 0 and exact("\uff17", "7") == 1


def test_f1_leaves_articles_aside_and_counts_words_as_often_as_they_come() -> None:
    assert f1("a cat sat", "the cat ran") == pytest.approx(2 * 1 / (2 + 2))
    assert f1("cat cat", "cat") == pytest.approx(2 * 1 / (2 + 1))


def test_rouge_follows_the_longest_common_subsequence() -> None:
    # "police kill the gunman" of Lin 2004: the common subsequence with "police killed the gunman" has 3 words of 4
    assert rouge_l("police kill the gunman", "police killed the gunman") == pytest.approx(2 * 3 / 8)
    assert rouge_l("the gunman kill police", "police killed the gunman") == pytest.approx(2 * 2 / 8)
    assert rouge_l("a b c d e", "b d") == pytest.approx(2 * 2 / 7)


@pytest.mark.parametrize("score", [exact, f1, rouge_l])
def test_of_empty_texts_only_two_are_alike(score: Callable[[str, str], float]) -> None:
    assert [score(*pair) for pair in (("", ""), ("", "a7"), ("a7", ""), (".", " "))] == [1, 0, 0, 1]


@given(texts, texts)
def test_scores_lie_between_none_and_all_and_do_not_depend_on_who_speaks(one: str, other: str) -> None:
    for score in (exact, f1, rouge_l):
        assert 0 <= score(one, other) <= 1 and score(one, one) == 1
        assert score(one, other) == pytest.approx(score(other, one))


def test_bleu_of_a_corpus_is_the_formula() -> None:
    pairs = [
        ("the cat sat on the mat", "the cat sat on a mat"),
        ("dogs bark at night", "all dogs bark at night loudly"),
    ]
    terms = np.array([bleu_terms(*pair) for pair in pairs], dtype=float)
    # first pair: 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 fours; second: 4 of 4, 3 of 3, 2 of 2, 1 of 1
    precisions = [(5 + 4) / (6 + 4), (3 + 3) / (5 + 3), (2 + 2) / (4 + 2), (1 + 1) / (3 + 1)]
    expected = math.exp(1 - 12 / 10) * math.prod(precisions) ** 0.25
    assert float(bleu(terms.mean(axis=0))) == pytest.approx(expected)


def test_bleu_without_a_common_run_is_nothing_and_of_equal_texts_all() -> None:
    for said, expected, score in (("", "a b c d", 0), ("a b", "a b", 0), ("x", "y", 0), ("a b c d", "a b c d", 1)):
        assert float(bleu(np.array(bleu_terms(said, expected), dtype=float))) == pytest.approx(score)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.lists(st.sampled_from("xyz"), max_size=4))
def test_a_run_three_times_over_is_found_wherever_it_stands(run: list[str], before: list[str]) -> None:
    assert looping(" ".join([*before, *run * 3, "end"]))


@given(st.lists(st.integers(0, 9), max_size=30, unique=True), st.integers(0, 9))
def test_what_says_everything_twice_at_most_does_not_loop(text: list[int], again: int) -> None:
    assert not looping(" ".join(map(str, [*text, *text])))
    assert not looping(f"{again} {again}")


def rows(count: int = 200) -> tuple[Any, Any]:
    """Losses and tokens of examples of unlike difficulty; of ours each is a little less."""
    random = np.random.default_rng(3)
    tokens, hard = random.integers(5, 30, count), random.gamma(2, 0.7, count)
    theirs = np.column_stack([hard * tokens, tokens]).astype(float)
    return theirs - [[0.1, 0]] * theirs[:, 1:], theirs


def test_perplexity_counts_tokens_not_examples() -> None:
    means = np.array([[1.0, 1.0], [6.0, 3.0]]).mean(axis=0)
    assert float(perplexity(means)) == pytest.approx(math.exp(7 / 4))


def test_a_lower_perplexity_is_a_positive_difference() -> None:
    ours, theirs = rows()
    gap = perplexity_difference(ours, theirs)
    before, after = (math.exp(side[:, 0].sum() / side[:, 1].sum()) for side in (theirs, ours))
    assert gap.value == pytest.approx(before - after) and gap.low > 0
    assert perplexity_difference(theirs, ours).high < 0


def test_differences_are_paired() -> None:
    """What makes an example hard is hard for both sides: each alone is far less certain than their difference."""
    ours, theirs = rows()
    gap = perplexity_difference(ours, theirs)
    alone = [intervals(side, [perplexity])[0] for side in (ours, theirs)]
    assert wide(gap) < 0.3 * min(map(wide, alone)) and alone[0].high > alone[1].low
    one = list(theirs[:, 0])
    other = [value + 0.1 for value in one]
    assert difference(other, one).value == pytest.approx(0.1) and wide(difference(other, one)) < 0.01 < wide(mean(one))


def test_a_base_with_another_tokenizer_is_compared_on_the_same_texts() -> None:
    ours, theirs = rows()
    finer = theirs * [[1, 2]]  # the same texts, as likely, in twice as many tokens
    assert perplexity_difference(ours, finer) == perplexity_difference(ours, theirs)
