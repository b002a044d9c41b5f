"""What `split` and `costs` show, from ledger and log alone: no server is started."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows import console, reading, splitting
from tasks import settings
from tasks.artifacts import Store, store_at
from tasks.errors import BadInput
from tasks.registry import ledger
from tasks.registry.ledger import Move
from tasks.watching.log import Record, Writer, folder
from tests.flows.test_cli import done, penstock, project

__all__ = ["project"]  # fixture

NAME = "credit-risk"


@pytest.fixture
def store(project: Path) -> Store:
    return store_at(settings.load().store)


def write(store: Store, **move: Any) -> None:
    ledger.append(store, NAME, "me", lambda _: Move.model_validate(move))


def begin(store: Store, days: float = 7) -> None:
    """Version 3 answers 10 % beside champion 2."""
    until = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    write(store, action="promote", alias="champion", to_version=2)
    write(store, action="split", alias="trial", to_version=3, subject="2", share=0.1, expires=until)


def answered(version: str, count: int, right: int) -> list[Record]:
    """So many predictions, and labels that say how many were right."""
    ids = [f"{version}-{number}" for number in range(count)]
    made = [Record("prediction", one, NAME, version, output={"prediction": "good"}, latency_ms=2.0) for one in ids]
    labels = ["good" if number < right else "bad" for number in range(count)]
    return made + [Record("feedback", one, NAME, "2", label=label) for one, label in zip(ids, labels, strict=True)]


def logged(records: list[Record]) -> None:
    writer = Writer(folder(settings.load().root, NAME), "one")
    writer.write(records)
    writer.close()


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("0.5 %", 0.005), ("99%", 0.99), (None, 0.0)])
def test_a_share_is_written_as_percent(text: str | None, share: float) -> None:
    assert splitting.fraction(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["10", "0.1", "0%", "100%", "-5%", "ten", "1e1%", ""])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="write it as 10%"):
        splitting.fraction(text)


def test_both_versions_are_compared_in_one_table(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "width", 200)  # no cell is folded
    begin(store)
    logged(answered("2", 200, 120) + answered("3", 60, 54))
    splitting.show(NAME, False, settings.load())
    told = capsys.readouterr().out
    assert re.search(r"v3 answers 10 % beside v2, until \d{4}", told)
    assert re.search(r"accuracy .* 60.0 % of 200 .* 90.0 % of 60 .* the trial is better", told)
    told = done("split", NAME, "--json")
    measures = {one["name"]: one for one in json.loads(told)["measures"]}
    assert measures["accuracy"]["counts"] == [200, 60] and measures["latency_ms"]["says"] == "no difference is shown"


def test_one_that_ended_is_still_shown(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    begin(store)
    logged(answered("2", 40, 20) + answered("3", 10, 5))
    time.sleep(1.1)
    write(store, action="unsplit", alias="trial", from_version=3, note="enough")
    time.sleep(1.1)
    logged(answered("2", 40, 40))
    splitting.show(NAME, False, settings.load())
    told = capsys.readouterr().out
    assert "ended" in told and "20 more of v3" in told
    assert re.search(r"accuracy .* of 40 ", told)  # what was answered after its end does not count


def test_history_shows_share_and_end(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    begin(store)
    reading.history(NAME, False, settings.load())
    assert re.search(r"split 10 %, to \d{4}-\d\d-\d\d", capsys.readouterr().out)
    told: dict[str, Any] = {"champion": 2, "staging": None, "challenger": None, "trial": 3, "pending": []}
    for over, state in ((None, "trial"), ("its time is over", "trial (over)")):
        told["split"] = {"over": over}
        assert reading.state_of({"version": 3, "withdrawn": False}, told) == state


def test_costs_by_day_and_caller(project: Path) -> None:
    llm = {"llm": "gpt-4o-mini", "prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}
    records = [Record("prediction", f"{n}", NAME, "1", caller="shop", features=llm) for n in range(2)]
    records += [Record("prediction", "x", NAME, "1", features={"llm": "unheard-of"})]
    logged(records)
    told = done("costs", NAME)
    assert re.search(r"shop .* gpt-4o-mini .* 2 .* 2000000 .* 1.500000", told)
    assert "1.5000 USD in all; 1 answers have no price and are not in it" in told
    (project / "prices.yaml").write_text("currency: EUR\ncpu_hour: 0\nmodels: {unheard*: {input: 1, output: 1}}\n")
    assert json.loads(done("costs", NAME, "--days", "1", "--json"))["currency"] == "EUR"


@pytest.mark.parametrize(
    "words", ["split credit-risk 2", "split credit-risk 2 10% --off", "costs credit-risk --days 0"]
)
def test_a_line_that_is_none_ends_with_2(project: Path, words: str) -> None:
    assert penstock(*words.split(" ")).returncode == 2
