"""The next token: what is asked for is what is drawn."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.language.engines import Stops
from tasks.language.sampling import GenerationOptions, Loops, Sampler, Sampling

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05]))


def drawn(count: int, prompt: tuple[int, ...] = (), logits: np.ndarray = LOGITS, **how: object) -> list[int]:
    sampler = Sampler(Sampling(count, **how), prompt, len(logits))  # type: ignore[arg-type]
    return [sampler.draw(logits.copy()) for _ in range(count)]


def test_no_temperature_draws_the_likeliest() -> None:
    assert drawn(5) == [0] * 5
    assert set(drawn(50, temperature=5e-324)) == {0}


def test_temperature_draws_as_the_chances_are() -> None:
    found = Counter(drawn(4000, temperature=1.0, seed=1))
    assert [found[token] / 4000 for token in range(4)] == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)


def test_top_p_keeps_the_fewest_that_suffice() -> None:
    assert set(drawn(400, temperature=1.0, top_p=0.5, seed=1)) == {0}
    assert set(drawn(400, temperature=1.0, top_p=0.51, seed=1)) == {0, 1}
    assert set(drawn(400, temperature=1.0, top_p=1e-9, seed=1)) == {0}


def test_a_seed_repeats_for_each_choice() -> None:
    def said(seed: int | None, choice: int = 0) -> list[int]:
        return drawn(40, temperature=1.0, seed=seed, choice=choice)

    assert said(3) == said(3) != said(4)
    assert said(3, 1) != said(3)
    assert said(-1) == said(-1)
    assert said(None) != said(None)


def test_penalties_turn_the_choice() -> None:
    assert drawn(3, presence_penalty=1.0) == [0, 1, 0]
    assert drawn(4, frequency_penalty=0.3) == [0, 0, 1, 0]
    assert drawn(1, frequency_penalty=2.0, prompt=(0, 0)) == [0]  # of the answer alone
    high = np.array([2.0, 1.9, -1.0])
    assert drawn(2, logits=high, repetition_penalty=1.2) == [0, 1]
    assert drawn(1, logits=high, repetition_penalty=1.2, prompt=(0, 99)) == [1]  # of the prompt as well
    assert drawn(5, no_repeat_ngram_size=1) == [0, 1, 2, 3, 0]  # nothing is left in the end
    assert drawn(4, no_repeat_ngram_size=2) == [0, 0, 1, 0]


def test_tokens_without_a_text_are_never_drawn() -> None:
    sampler = Sampler(Sampling(1), (), 2)
    assert sampler.draw(np.array([0.0, 1.0, 9.0])) == 1


def test_what_a_release_answers_with_is_bounded() -> None:
    assert GenerationOptions().temperature == 0
    for wrong in ({"temperature": -1}, {"top_p": 0}, {"max_tokens": 0}, {"colour": 1}):
        with pytest.raises(ValueError):
            GenerationOptions(**wrong)  # type: ignore[arg-type]


def closed(tokens: list[int]) -> int | None:
    """How many tokens it took to see a loop."""
    loops = Loops()
    return next((place for place, token in enumerate(tokens, start=1) if loops.closed(token)), None)


def test_loops_are_seen_and_lists_are_not() -> None:
    assert closed([7] * 100) == 49
    assert closed([*range(100, 120), *[1, 2, 3] * 40]) == 20 + 3 + 48
    assert closed(list(range(40)) * 8) == 40 * 4
    assert closed(list(range(65)) * 8) is None  # longer than what is looked for
    assert closed([token for row in range(60) for token in (1, 2, row + 10, 3)]) is None
    assert closed([1, 2, 3, 4, 5] * 9) is None


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3), st.data())
def test_a_stop_string_ends_the_text_wherever_it_is_cut(text: str, stop: list[str], data: st.DataObject) -> None:
    stops, said, rest, ended = Stops(stop), "", text, False
    while rest and not ended:
        size = data.draw(st.integers(1, len(rest)))
        piece, ended = stops.add(rest[:size])
        said, rest = said + piece, rest[size:]
        assert not any(one in said for one in stop)
    places = [(text.find(one) + len(one), text.find(one)) for one in stop if one in text]
    assert said + stops.rest() == (text[: min(places)[1]] if places else text)
    assert ended == bool(places)


def test_only_what_may_be_a_beginning_is_held_back() -> None:
    stops = Stops(["END"])
    assert stops.add("the E") == ("the ", False)
    assert stops.add("N") == ("", False)
    assert stops.add("ough") == ("ENough", False)
