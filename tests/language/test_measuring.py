"""The load that a built service is put under, before a stand-in whose speed is known."""

import sys
from pathlib import Path

import psutil
import pytest

from tasks.errors import Unavailable
from tasks.language.chats import Message
from tasks.language.measuring import ASKED, Speed, checks, measure, spread
from tasks.language.specs import AssistantBudgets
from tests.language.stand_in import STEP_S, TOKENS

STAND_IN = Path(__file__).with_name("stand_in.py")
PROMPTS = [(Message(role="user", content=f"{number}?"),) for number in range(20)]
SPEED = Speed(first_token_ms=50.0, tokens_per_s=20.0, tokens_per_s_8=80.0, memory_mb=300.0)


def command(how: str) -> list[str]:
    return [sys.executable, str(STAND_IN), how]


def running() -> list[int]:
    return [one.pid for one in psutil.Process().children() if str(STAND_IN) in one.cmdline()]


def test_what_a_client_sees_is_measured() -> None:
    speed = measure(command("well"), {}, "chat", PROMPTS)
    assert speed.first_token_ms >= 1000 * STEP_S
    assert 0 < speed.tokens_per_s <= 1 / STEP_S
    assert speed.tokens_per_s < speed.tokens_per_s_8 <= ASKED / STEP_S and TOKENS == 8
    assert 5 < speed.memory_mb < 200
    assert running() == []


def test_a_service_that_is_not_ready_in_time_is_told() -> None:
    with pytest.raises(Unavailable, match="did not get ready: without a word"):
        measure(command("never"), {}, "chat", PROMPTS, patience=1.5)
    assert running() == []


def test_a_service_that_ends_is_told_with_its_last_words() -> None:
    with pytest.raises(Unavailable, match="did not get ready: No such model"):
        measure(command("ends"), {}, "chat", PROMPTS)


def test_a_service_that_refuses_to_answer_is_told() -> None:
    with pytest.raises(Unavailable, match="did not answer .*500"):
        measure(command("refuses"), {}, "chat", PROMPTS)
    assert running() == []


def test_a_series_of_prompts_is_another_in_each_turn() -> None:
    one, other = (spread(PROMPTS, turn) for turn in (0, 1))
    assert len(one) == len(other) == ASKED and not {*one} & {*other}
    assert len({*one}) == ASKED and spread(PROMPTS[:1], 1) == PROMPTS[:1] * ASKED


def test_without_budgets_everything_is_told_and_nothing_refused() -> None:
    found = checks(SPEED, AssistantBudgets())
    assert [check.name for check in found] == ["first token ms", "tokens per s", "tokens per s 8", "memory mb"]
    assert all(check.ok and check.measured and check.bound == "none" for check in found)
    assert found[1].text == "One client gets 20.0 tokens a second."


def test_a_budget_is_a_bound_on_the_side_that_hurts() -> None:
    met = AssistantBudgets(first_token_ms=50, tokens_per_s=20, tokens_per_s_8=80, memory_mb=300)
    assert [check.ok for check in checks(SPEED, met)] == [True] * 4
    missed = AssistantBudgets(first_token_ms=49, tokens_per_s=21, tokens_per_s_8=81, memory_mb=299)
    found = checks(SPEED, missed)
    assert [check.ok for check in found] == [False] * 4
    assert [check.bound for check in found] == ["<= 49", ">= 21", ">= 81", "<= 299"]
    assert found[3].text == "The service took 300 MB at most; the recipe asks for <= 299."
