"""From answers to a new champion: windows, alarms, questions, retrainings, as services and people would cause them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from flows import retrain as retraining
from flows.seen import Seen
from flows.sources import check_sources
from flows.watch import watch, watch_all
from tasks import settings
from tasks.errors import Refused
from tasks.registry import records
from tasks.watching import wishes
from tasks.watching.log import Record, Writer, folder
from tasks.watching.windows import windows
from tests.flows.conftest import House, loans, spoilt

INPUTS = ["trade", "age", "income", "debt"]


class Watched(House):
    """A house whose champion answers."""

    asked = 0

    def answer(self, table: pd.DataFrame, labels: bool = False, version: int | None = None) -> list[str]:
        """Log the champion's answers as its service would; with the truth, if it is known at once. Their ids."""
        champion = version or self.champion
        assert champion is not None
        rows = table[INPUTS].astype(object).where(table[INPUTS].notna(), None).to_dict("records")
        said = self.predictor(champion).predict(rows)
        ids = [f"request-{type(self).asked + place}" for place in range(len(rows))]
        type(self).asked += len(rows)
        told = {"release": self.name, "version": str(champion)}
        logged = [
            Record("prediction", one, **told, path="/predict", inputs=row, output=answer, latency_ms=0.1)
            for one, row, answer in zip(ids, rows, said, strict=True)
        ]
        if labels:
            truth = table["late"].tolist()
            logged += [Record("feedback", one, **told, label=label) for one, label in zip(ids, truth, strict=True)]
        self.log(logged)
        return ids

    def log(self, found: list[Record]) -> None:
        writer = Writer(folder(settings.load().root, self.name), "replica-1")
        writer.write(found)
        writer.close()

    def watch(self) -> Seen:
        seen: Seen = watch(self.name)
        return seen


@pytest.fixture
def watched(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    found = Watched(house.project, house.name, house.prefect, house.mlflow)
    found.recipe(split={"by": "hash", "test": 0.4})
    found.give(spoilt(loans(rows=2500)))
    yield found


def usual(rows: int, seed: int) -> pd.DataFrame:
    """Rows as those of the training, with as many gaps."""
    table = loans(rows, seed)
    table.loc[3::40, "income"] = None
    return table


def moved(rows: int, seed: int) -> pd.DataFrame:
    """Another quarter: poorer, deeper in debt."""
    table = loans(rows, seed, "2024-Q2")
    return table.assign(income=(table["income"] * 0.6).round(1), debt=(table["debt"] ** 0.5).round(3))


def test_answers_like_the_training_raise_no_alarm(watched: Watched) -> None:
    assert "no champion" in watched.watch().text
    watched.train()
    watched.answer(usual(300, 1))
    first = watched.watch()
    assert "200 more needed" in first.text and first.window is None
    watched.answer(usual(300, 2), labels=True)
    seen = watched.watch()
    assert seen.new and seen.window is not None and seen.window.rows == 600 and not seen.alarmed
    assert seen.window.verdict is not None and not seen.window.exceeds
    quality = seen.qualities[1]
    assert quality.rows == 300 and quality.kept and quality.promised is not None
    assert {one.value for one in quality.slices} == {"baker", "mason", "tailor"}
    assert seen.window.estimate is not None and abs(seen.window.estimate.value - quality.value.value) < 0.1
    page = settings.load().root / "reports" / f"drift-{watched.name}-1.html"
    assert page.stat().st_size > 100_000
    again = watched.watch()
    assert not again.new and again.window == seen.window  # nothing was counted twice


def test_two_drifted_windows_raise_an_alarm_that_is_told(watched: Watched) -> None:
    watched.train()
    watched.answer(moved(600, 1))
    first = watched.watch()
    assert first.window is not None and first.window.exceeds and not first.alarmed
    watched.answer(moved(600, 2))
    second = watched.watch()
    assert second.alarmed and second.ruling is not None and second.ruling.do == "suggest"
    assert {"income", "debt"} <= set(second.window.verdict.drifted if second.window and second.window.verdict else ())
    told = watched.store.list(f"alerts/{watched.name}")
    assert len(told) == 1 and b"income" in watched.store.read(told[0])
    watched.watch()
    assert watched.store.list(f"alerts/{watched.name}") == told  # said once


def test_a_question_is_answered_and_the_release_trained_on_what_came(watched: Watched) -> None:
    watched.recipe(watch={"act": "ask"}, split={"by": "hash", "test": 0.4})
    watched.train()
    for seed in (1, 2):
        watched.answer(moved(600, seed))
        seen = watched.watch()
    assert seen.wish is not None and seen.wish.outcome is None
    assert watched.watch().wish == seen.wish  # repeated, and not made anew
    watched.give(spoilt(pd.concat([loans(rows=2500), moved(2500, 9)])))
    retraining.say_yes_or_no(watched.name, True, "the market changed", settings.load())
    outcome = retraining.retrain(watched.name, 1)
    assert outcome is not None and outcome.version == 2
    (wish,) = wishes.wishes(watched.store, watched.name)
    assert wish.outcome is not None and wish.outcome.promoted == (watched.champion == 2)
    assert retraining.retrain(watched.name, 1) is None  # done is done
    after = watched.watch()
    assert after.window is None and not after.alarmed  # a new champion, windows of its own


def test_a_no_is_kept_and_starts_nothing(watched: Watched) -> None:
    watched.recipe(watch={"act": "ask"}, split={"by": "hash", "test": 0.4})
    watched.train()
    for seed in (1, 2):
        watched.answer(moved(600, seed))
        watched.watch()
    retraining.say_yes_or_no(watched.name, False, "a sale", settings.load())
    assert len(watched.versions) == 1
    again = watched.watch()
    assert again.ruling is not None and again.ruling.do == "wait" and again.wish is None
    with pytest.raises(Refused, match="No alarm"):
        retraining.say_yes_or_no(watched.name, True, "", settings.load())


def test_auto_trains_at_once_and_says_what_came_of_it(watched: Watched) -> None:
    watched.recipe(watch={"act": "auto"}, split={"by": "hash", "test": 0.4})
    watched.train()
    watched.give(spoilt(pd.concat([loans(rows=2500), moved(2500, 9)])))
    for seed in (1, 2):
        watched.answer(moved(600, seed))
        seen = watched.watch()
    assert seen.wish is not None and seen.wish.outcome is not None and seen.wish.outcome.version == 2


def test_broken_rows_are_no_drift_and_no_reason_to_train(watched: Watched) -> None:
    watched.recipe(watch={"act": "auto"}, split={"by": "hash", "test": 0.4})
    watched.train()
    for seed in (1, 2):
        table = moved(600, seed)
        table.loc[:99, "age"] = 7
        watched.answer(table)
        seen = watched.watch()
    assert seen.window is not None and seen.window.faulty == 100
    assert seen.window.faults == {"age is under 18": 100}
    assert seen.window.verdict is not None and "age" not in seen.window.verdict.drifted
    assert seen.ruling is not None and seen.ruling.do == "wait" and "age" in seen.ruling.why
    assert len(watched.versions) == 1


def test_rows_of_other_versions_are_counted_apart(watched: Watched) -> None:
    watched.train()
    watched.train(seed=5)
    champion = watched.champion
    other = next(one.version for one in watched.versions if one.version != champion)
    watched.answer(moved(700, 3), version=other)
    watched.answer(usual(600, 4))
    seen = watched.watch()
    assert seen.window is not None and (seen.window.rows, seen.window.others) == (600, 700)
    assert not seen.window.exceeds


def test_labels_that_come_later_measure_the_window_then(watched: Watched) -> None:
    watched.train()
    table = usual(600, 1)
    ids = watched.answer(table)
    assert watched.watch().qualities == {}
    told = {"release": watched.name, "version": "1"}
    turned = (1 - table["late"]).tolist()
    watched.log([Record("feedback", one, **told, label=label) for one, label in zip(ids, turned, strict=True)])
    watched.log([Record("feedback", "nobody-asked", **told, label=1)])
    seen = watched.watch()
    quality = seen.qualities[1]
    assert quality.rows == 600 and not quality.kept and seen.alarmed  # worse than promised, without any drift
    assert "labels; promised was" in seen.reasons


def test_what_a_killed_run_left_is_found_again(watched: Watched) -> None:
    """A run that died after it gathered the log, and one that died after its window."""
    from flows import watch as module

    watched.train()
    watched.answer(usual(600, 1))
    module.gather(watched.store, watched.name, settings.load())
    seen = watched.watch()
    assert seen.window is not None and seen.window.rows == 600
    watched.answer(usual(600, 2))
    watched.watch()
    known = windows(watched.store, watched.name)
    assert [one.rows for one in known] == [600, 600] and known[0].until <= known[1].since
    assert not set(known[0].parts) & set(known[1].parts)


def test_training_on_other_data_warns_or_stops_and_asks(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.train()
    watched.give(spoilt(moved(2500, 9)))
    watched.recipe(watch={"drift_share": 0.2, "before_training": "ask"}, split={"by": "hash", "test": 0.4})
    with pytest.raises(Refused, match="--accept-drift"):
        watched.train()
    assert len(watched.versions) == 1
    assert watched.train(accept_drift=True).version == 2


def test_data_that_changed_starts_a_training(watched: Watched) -> None:
    assert check_sources() == []  # never trained: nothing that could have changed
    watched.train()
    assert check_sources() == []
    watched.give(spoilt(loans(rows=3000)))
    assert check_sources() == [watched.name]
    assert len(watched.versions) == 2
    assert check_sources() == []


def test_every_release_is_watched_and_one_that_fails_is_told(watched: Watched) -> None:
    watched.train()
    watched.answer(usual(600, 1))
    (seen,) = watch_all()
    assert seen.release == watched.name and seen.new
    watched.recipe(watch={"act": "sometimes"})
    with pytest.raises(Refused, match="sometimes"):
        watch_all()


def test_times_are_those_of_the_rows(watched: Watched) -> None:
    watched.train()
    before = time.time()
    watched.answer(usual(600, 1))
    seen = watched.watch()
    assert seen.window is not None and before <= seen.window.since <= seen.window.until <= time.time()
    assert records.version(watched.store, watched.name, 1).metrics["auc"].value > 0.6
    assert Path(settings.load().root / "evidently").is_dir()
