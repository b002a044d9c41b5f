"""How answers are scored: each example gives terms, whose means make the metrics and their intervals."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.statistics import Interval, intervals

Values = npt.NDArray[Any]
ORDERS = 4  # BLEU counts runs of one to four words
LOOP = 3  # times that a run of words follows itself
RUN = 12  # words of the longest run that is looked for
ARTICLES = {"a", "an", "the"}


def words(text: str) -> list[str]:
    """Words in lower case without punctuation, as SQuAD compares answers (Rajpurkar et al. 2016)."""
    return re.findall(r"[^\W_]+(?:[:.'-][^\W_]+)*", unicodedata.normalize("NFKC", text).casefold())


def exact(said: str, expected: str) -> float:
    return float(words(said) == words(expected))


def f1(said: str, expected: str) -> float:
    """Overlap of the words, articles aside."""
    ours, theirs = ([word for word in words(text) if word not in ARTICLES] for text in (said, expected))
    same = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * same / (len(ours) + len(theirs)) if same else float(ours == theirs)


def rouge_l(said: str, expected: str) -> float:
    """F-measure of the longest common subsequence of words (Lin 2004)."""
    ours, theirs = words(said), words(expected)
    row = [0] * (len(theirs) + 1)
    for word in ours:
        before = 0
        for place, other in enumerate(theirs, start=1):
            before, row[place] = row[place], before + 1 if word == other else max(row[place], row[place - 1])
    return 2 * row[-1] / (len(ours) + len(theirs)) if row[-1] else float(ours == theirs)


def bleu_terms(said: str, expected: str) -> list[float]:
    """Matches and counts of runs of one to four words, and both lengths: what BLEU of a corpus sums up."""
    ours, theirs = words(said), words(expected)
    terms: list[float] = []
    for order in range(1, ORDERS + 1):
        mine, other = runs(ours, order), runs(theirs, order)
        terms += [sum((mine & other).values()), sum(mine.values())]
    return [*terms, len(ours), len(theirs)]


def runs(text: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(text[start : start + order]) for start in range(len(text) - order + 1))


def bleu(means: Values) -> Values:
    """BLEU (Papineni et al. 2002, §2.3) of mean terms [..., 10], on one reference, in 0 to 1; without smoothing."""
    matches, counts = means[..., 0 : 2 * ORDERS : 2], means[..., 1 : 2 * ORDERS : 2]
    ours, theirs = means[..., -2], means[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(counts > 0, matches / np.maximum(counts, 1e-12), 0.0)
        score = np.exp(np.log(precision).mean(axis=-1))
        brevity = np.where(ours >= theirs, 1.0, np.exp(1 - theirs / np.maximum(ours, 1e-12)))
    return np.asarray(score * brevity)


def looping(said: str) -> bool:
    """Whether a run of up to twelve words follows itself three times."""
    text = words(said)
    return any(
        text[start : start + size] * LOOP == text[start : start + size * LOOP]
        for size in range(1, RUN + 1)
        for start in range(len(text) - size * LOOP + 1)
    )


def perplexity(means: Values) -> Values:
    """exp of the mean loss of a token: terms are the sum of losses, and the number of tokens, of each example."""
    return np.asarray(np.exp(means[..., 0] / means[..., 1]))


def mean(values: Sequence[float]) -> Interval:
    return intervals(np.asarray(values, dtype=np.float64)[:, None], [lambda means: means[..., 0]])[0]


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Of the means of paired scores; positive where ours are higher."""
    return mean([one - other for one, other in zip(ours, theirs, strict=True)])


def perplexity_difference(ours: Values, theirs: Values) -> Interval:
    """How much lower our perplexity is, [n, 2] losses and tokens of the same examples; positive where ours is lower.

    Both losses are divided by our tokens, so that a base with another tokenizer is compared on the same texts."""

    def gap(means: Values) -> Values:
        return np.asarray(np.exp(means[..., 2] / means[..., 1]) - np.exp(means[..., 0] / means[..., 1]))

    return intervals(np.column_stack([ours, theirs[:, 0]]), [gap])[0]
