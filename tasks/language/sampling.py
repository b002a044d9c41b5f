"""From logits to the next token, in numpy: what a request may ask for, penalties, and the end of text that loops."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Logits = NDArray[Any]  # [vocabulary], floats

MASK = 2**64 - 1  # seeds may be negative, and a generator takes none of these
PERIOD = 64  # the longest piece of text, in tokens, whose repetition is seen
REPEATED = 48  # tokens that must repeat what stood before them
TIMES = 4  # and how often the piece must have been said


class GenerationOptions(BaseModel):
    """What a release answers with where a request does not say: the same answer to the same question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: int = Field(256, ge=1)
    temperature: float = Field(0.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    repetition_penalty: float = Field(1.0, gt=0, le=10)
    no_repeat_ngram_size: int = Field(0, ge=0, le=100)


@dataclass(frozen=True)
class Sampling:
    """How one answer is written; `choice` tells the answers to one request apart, which share its seed.

    `repetition_penalty` regards the prompt as well, as its inventors have it; the others regard the answer alone."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    choice: int = 0
    stop: tuple[str, ...] = ()
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    no_repeat_ngram_size: int = 0


class Sampler:
    """Draws the tokens of one answer; remembers those drawn."""

    def __init__(self, sampling: Sampling, prompt: Iterable[int], vocabulary: int) -> None:
        """`vocabulary`: the tokens that the tokenizer knows; a model may have more, which mean nothing."""
        self._how, self._vocabulary = sampling, vocabulary
        self._drawn: list[int] = []
        self._seen = np.zeros(vocabulary, dtype=bool)
        self._seen[[token for token in prompt if token < vocabulary]] = True
        self._counts = np.zeros(vocabulary, dtype=np.float32)
        seed = None if sampling.seed is None else [sampling.seed & MASK, sampling.choice]
        self._random = np.random.default_rng(seed)

    def draw(self, logits: Logits) -> int:
        token = self._choose(self._penalised(np.asarray(logits[: self._vocabulary], dtype=np.float64)))
        self._drawn.append(token)
        self._seen[token] = True
        self._counts[token] += 1
        return token

    def _penalised(self, logits: Logits) -> Logits:
        how = self._how
        if how.repetition_penalty != 1:
            seen = logits[self._seen]
            logits[self._seen] = np.where(seen > 0, seen / how.repetition_penalty, seen * how.repetition_penalty)
        if how.frequency_penalty or how.presence_penalty:
            logits -= how.frequency_penalty * self._counts + how.presence_penalty * (self._counts > 0)
        if how.no_repeat_ngram_size:
            logits[list(_following(self._drawn, how.no_repeat_ngram_size))] = -np.inf
        return logits

    def _choose(self, logits: Logits) -> int:
        if self._how.temperature == 0:
            return int(logits.argmax())
        with np.errstate(over="ignore"):  # next to no temperature leaves one token with a chance
            chances = np.exp((logits - logits.max()) / self._how.temperature)
        tokens = None
        if self._how.top_p < 1:
            tokens, chances = _nucleus(chances / chances.sum(), self._how.top_p)
        heights = chances.cumsum()
        place = int(heights.searchsorted(self._random.random() * heights[-1], side="right"))
        return place if tokens is None else int(tokens[place])


class Loops:
    """Sees that an answer only repeats itself: its end says again what stood before it, long and often enough."""

    def __init__(self) -> None:
        self._last = np.full(PERIOD, -1)  # the newest first
        self._runs = np.zeros(PERIOD, dtype=np.int64)  # by period: how long each token is the one a period before
        self._enough = np.maximum(REPEATED, (TIMES - 1) * np.arange(1, PERIOD + 1))

    def closed(self, token: int) -> bool:
        """Whether the answer loops with this token at its end."""
        self._runs = (self._runs + 1) * (self._last == token)
        self._last = np.concatenate(([token], self._last[:-1]))
        return bool((self._runs >= self._enough).any())


def _following(drawn: list[int], size: int) -> set[int]:
    """The tokens that would say a sequence of that many tokens again."""
    tail = drawn[len(drawn) - size + 1 :]
    starts = range(len(drawn) - size + 1)
    return {drawn[start + size - 1] for start in starts if drawn[start : start + size - 1] == tail}


def _nucleus(chances: Logits, top_p: float) -> tuple[Logits, Logits]:
    """The fewest tokens that have `top_p` of the chances together, with their chances."""
    order = np.argsort(-chances, kind="stable")
    kept = order[: int(chances[order].cumsum().searchsorted(top_p)) + 1]
    return kept, chances[kept]
