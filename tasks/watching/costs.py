"""What answers cost, by a table of prices: tokens of a language model elsewhere, or time of our own processors."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeFloat

from tasks.sources import yamls
from tasks.watching.log import Record

NAME = "prices"
OWN = "own processors"  # in place of a model's name


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(Strict):
    """Of a million tokens that a model reads (`input`) or writes (`output`)."""

    input: NonNegativeFloat
    output: NonNegativeFloat


class Prices(Strict):
    """In one currency; `models` by patterns of their names, of which the first that fits counts."""

    currency: str
    cpu_hour: NonNegativeFloat
    models: dict[str, Price]

    def of(self, model: str) -> Price | None:
        return next((price for pattern, price in self.models.items() if fnmatchcase(model, pattern)), None)


class Cost(BaseModel):
    """Of one answer; what it took of our own processors is all in `total`."""

    model_config = ConfigDict(frozen=True)

    input: float = 0.0
    output: float = 0.0
    total: float


class Bill(BaseModel):
    """What a caller spent on a day (UTC) with one model; `unpriced` answers, of `answers`, are not in `cost`."""

    day: str
    tenant: str
    caller: str
    model: str
    answers: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


def read_prices(folders: Iterable[Path]) -> Prices:
    """The table in the first folder that has a prices.yaml. BadInput where it is none."""
    path = yamls.find("", NAME, folders)
    return yamls.build(Prices, yamls.read_mapping(path), path)


def cost(features: Mapping[str, Any], latency_ms: float | None, prices: Prices) -> Cost | None:
    """Of one answer by the features that are logged of it; None where there is no price for it.

    `llm` names the language model elsewhere that wrote it; where there is none, the latency stands for the time of one
    core: more than it took while it waited, less where several cores worked."""
    model = features.get("llm")
    if model is None:
        return None if latency_ms is None else Cost(total=latency_ms / 3_600_000 * prices.cpu_hour)
    price, read, wrote = prices.of(str(model)), features.get("prompt_tokens"), features.get("completion_tokens")
    if price is None or not read or wrote is None:  # no prompt is empty: its server does not count
        return None
    asked, said = read * price.input / 1e6, wrote * price.output / 1e6
    return Cost(input=asked, output=said, total=asked + said)


def by_key_and_day(records: Iterable[Record], prices: Prices, since: float = 0.0) -> list[Bill]:
    """All predictions from `since` (seconds since the epoch) on, by day, tenant, caller and model, the newest first."""
    found: dict[tuple[str, str, str, str], Bill] = {}
    for record in records:
        if record.kind == "prediction" and record.time >= since:
            features = record.features or {}
            day = datetime.fromtimestamp(record.time, UTC).date().isoformat()
            key = (day, record.tenant, record.caller, str(features.get("llm") or OWN))
            if key not in found:
                found[key] = Bill(**dict(zip(("day", "tenant", "caller", "model"), key, strict=True)))
            _add(found[key], features, cost(features, record.latency_ms, prices))
    return sorted(found.values(), key=lambda one: one.day, reverse=True)


def _add(bill: Bill, features: Mapping[str, Any], priced: Cost | None) -> None:
    bill.answers += 1
    bill.unpriced += priced is None
    bill.cost += priced.total if priced else 0.0
    bill.prompt_tokens += features.get("prompt_tokens") or 0
    bill.completion_tokens += features.get("completion_tokens") or 0
