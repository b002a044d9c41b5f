"""Brakes on retraining: what an alarm may start now, by the recipe and by what earlier alarms started. Pure."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tasks.registry.recipes import Watch

HOUR = 3600.0
WEEK = 7 * 24 * HOUR
HELPLESS = 2  # retrainings in a row that changed nothing

Do = Literal["nothing", "suggest", "ask", "retrain", "wait", "stop"]


class Past(BaseModel):
    """An earlier wish: when it was acted on, whether it trained or was declined, and whether that helped.

    It helped where its version became champion and no alarm followed in that version's first windows."""

    model_config = ConfigDict(frozen=True)

    when: float
    trained: bool
    helped: bool = False


class Ruling(BaseModel):
    """What to do about the present windows, and why; `until` is when a wait ends (s since the epoch)."""

    model_config = ConfigDict(frozen=True)

    do: Do
    why: str
    until: float | None = None


def rule(watch: Watch, alarm: bool, faults: str | None, past: Sequence[Past], now: float) -> Ruling:
    """`faults`: how the data breaks its contract, if it does; `past` in order of time, since the last version that
    somebody else made champion. Training on broken data is never started, and none after two that did not help."""
    if not alarm:
        return Ruling(do="nothing", why="no alarm")
    if faults:
        return Ruling(do="wait", why=f"the data breaks its contract, so nothing is trained on it: {faults}")
    tried = [one for one in past if one.trained]
    if len(tried) >= HELPLESS and not any(one.helped for one in tried[-HELPLESS:]):
        return Ruling(do="stop", why=f"the last {HELPLESS} retrainings did not help: look at data and recipe yourself")
    if watch.act == "suggest":
        return Ruling(do="suggest", why="the recipe says `act: suggest`")
    until = held(watch, past, now)
    if until is not None:
        return Ruling(do="wait", why="cooldown, or the week's retrainings are used up", until=until)
    return Ruling(do="ask" if watch.act == "ask" else "retrain", why=f"the recipe says `act: {watch.act}`")


def held(watch: Watch, past: Sequence[Past], now: float) -> float | None:
    """Until when the cooldown, or the number per week, forbids to act again; None where nothing does."""
    ends = [past[-1].when + watch.cooldown_hours * HOUR] if past else []
    tried = [one.when for one in past if one.trained]
    if len(tried) >= watch.per_week:
        ends.append(tried[-watch.per_week] + WEEK)
    until = max(ends, default=now)
    return until if until > now else None
