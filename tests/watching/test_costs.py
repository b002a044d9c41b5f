"""What answers cost: known sums, models without a price, and tables that are none."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import BadInput
from tasks.settings import ROOT
from tasks.watching.costs import OWN, Price, Prices, by_key_and_day, cost, read_prices
from tasks.watching.log import Record

PRICES = Prices(
    currency="EUR",
    cpu_hour=0.36,
    models={"big-mini*": Price(input=1, output=2), "big*": Price(input=10, output=30)},
)


def features(llm: str | None, read: int | None = 1000, wrote: int | None = 100) -> dict[str, Any]:
    return {"llm": llm, "prompt_tokens": read, "completion_tokens": wrote}


def test_tokens_of_a_model_elsewhere_by_the_first_pattern_that_fits() -> None:
    found = cost(features("big-mini-2"), 500.0, PRICES)
    assert found is not None and found.input == pytest.approx(0.001) and found.output == pytest.approx(0.0002)
    assert found.total == pytest.approx(0.0012)
    big = cost(features("big-3"), None, PRICES)
    assert big is not None and big.total == pytest.approx(0.013)


def test_our_own_processors_by_the_time_that_it_took() -> None:
    found = cost({"prompt_tokens": 9}, 1000.0, PRICES)
    assert found is not None and found.total == pytest.approx(0.0001)
    assert cost({}, None, PRICES) is None


@pytest.mark.parametrize(
    "told", [features("unknown"), features("big", read=None), features("big", wrote=None), features("big", read=0)]
)
def test_what_has_no_price_is_never_nothing(told: dict[str, Any]) -> None:
    assert cost(told, 500.0, PRICES) is None


def at(day: int, **more: Any) -> Record:
    moment = datetime(2026, 3, day, 23, 30, tzinfo=UTC).timestamp()
    return Record("prediction", "1", "desk", "1", **({"time": moment, "caller": "shop", "tenant": "acme"} | more))


def test_sums_by_day_caller_and_model() -> None:
    records = [
        at(1, features=features("big")),
        at(1, features=features("big", read=None)),
        at(1, features=features("unknown")),
        at(1, caller="other", features=features("big")),
        at(2, features=features("big")),
        at(2, features=features("big")),
        at(2, latency_ms=2000.0),
        Record("feedback", "1", "desk", "1", rating=1, time=at(2).time),
    ]
    found = {(one.day, one.caller, one.model): one for one in by_key_and_day(records, PRICES)}
    assert [one[0] for one in found] == sorted((one[0] for one in found), reverse=True)
    first = found["2026-03-01", "shop", "big"]
    assert (first.answers, first.unpriced, first.prompt_tokens, first.completion_tokens) == (2, 1, 1000, 200)
    assert first.cost == pytest.approx(0.013) and first.tenant == "acme"
    unknown = found["2026-03-01", "shop", "unknown"]
    assert (unknown.answers, unknown.unpriced, unknown.cost) == (1, 1, 0.0)
    assert found["2026-03-02", "shop", "big"].cost == pytest.approx(0.026)
    assert found["2026-03-02", "shop", OWN].cost == pytest.approx(0.0002)
    assert len(found) == 5
    late = by_key_and_day(records, PRICES, since=at(2).time)
    assert {one.day for one in late} == {"2026-03-02"}


def test_the_table_in_the_box_is_one_and_the_users_own_comes_first(tmp_path: Path) -> None:
    box = read_prices([tmp_path, ROOT / "data"])
    assert box.currency == "USD" and box.of("gpt-4o-mini-2024-07-18") != box.of("gpt-4o-2024-08-06")
    (tmp_path / "prices.yaml").write_text("currency: EUR\ncpu_hour: 1\nmodels: {}\n")
    assert read_prices([tmp_path, ROOT / "data"]).currency == "EUR"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("currency: EUR\nmodels: {}\n", "cpu_hour"),
        ("currency: EUR\ncpu_hour: -1\nmodels: {}\n", "cpu_hour"),
        ("currency: EUR\ncpu_hour: 1\nmodels: {big: {input: 1}}\n", "output"),
        ("- 1\n", "fields"),
    ],
)
def test_a_table_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(BadInput, match=said):
        read_prices([tmp_path])
