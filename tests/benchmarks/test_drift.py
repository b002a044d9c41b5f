"""What `drift` compares: windows share no row, drift is what it is called, and rates count what they say."""

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import drift, drift_large, drift_windows
from tests.benchmarks.drift_windows import Answers, Run


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A table whose rows can be told apart, in place of the real ones."""
    rows = ["a;b;c", *(f"{row};{row % 10};{row / 4}" for row in range(4000))]
    (tmp_path / "winenumbered.csv").write_text("\n".join(rows))
    monkeypatch.setattr(drift_windows, "TABLES", tmp_path)
    return "winenumbered"


def test_reference_and_windows_of_a_run_share_no_row(numbered: str) -> None:
    parts = list(drift_windows.draw(Run(numbered, 1000, 500, 4, seed=3)))
    assert [part.num_rows for part in parts] == [1000, 500, 500, 500, 500]
    rows = np.concatenate([part["a"].to_numpy() for part in parts])
    assert len(set(rows)) == 3000


def test_a_shift_moves_three_columns_and_the_grid_stays(numbered: str) -> None:
    calm, *_ = list(drift_windows.draw(Run(numbered, 1000, 3000, 1, seed=3)))[1:]
    for kind in ("shift", "grid"):
        moved = list(drift_windows.draw(Run(numbered, 1000, 3000, 1, 3, kind)))[1]
        for name in ("a", "b", "c"):
            sd = drift_windows.read(numbered)[name].to_numpy().std()
            mean = (moved[name].to_numpy() - calm[name].to_numpy()).mean()
            assert mean == pytest.approx(0.2 * sd, rel=0.1)
    assert np.all(moved["b"].to_numpy() % 1 == 0)


def test_a_permuted_column_keeps_its_values(numbered: str) -> None:
    calm, moved = (list(drift_windows.draw(Run(numbered, 1000, 500, 1, 1, kind)))[1] for kind in ("none", "permuted"))
    assert calm.drop_columns("b").equals(moved.drop_columns("b")) and not calm.equals(moved)
    assert sorted(calm["b"].to_pylist()) == sorted(moved["b"].to_pylist())


def test_rates_are_of_windows_of_alarms_and_of_runs() -> None:
    run = Run("any", 1, 1, 4, 0)
    answers = [Answers(run, (True, False, True, False)), Answers(run, (False, False, False, True))]
    assert drift.rates(answers) == {"windows": 37.5, "alarms by window": 12.5, "runs with alarm": 50.0}


def test_our_answers_to_a_run(numbered: str) -> None:
    assert drift_windows.ours(Run(numbered, 1000, 600, 1, 0)).exceeds == (False,)
    assert drift_windows.ours(Run(numbered, 1000, 600, 1, 0, "shift")).exceeds == (True,)


def test_large_tables_differ_by_what_they_are_told() -> None:
    calm = drift_large.made(2000, 7)
    assert calm.num_columns == 12 and calm.equals(drift_large.made(2000, 7))
    assert drift_large.made(2000, 7, "nulls", 0.05)["number7"].to_pandas().isna().sum() > 50
    moved = drift_large.made(2000, 7, "permuted")["number7"].to_pylist()
    assert moved != calm["number7"].to_pylist() and sorted(moved) == sorted(calm["number7"].to_pylist())


def test_what_both_say_must_agree_in_each_part() -> None:
    found = drift_large.verdict(drift_large.made(600, 1), drift_large.made(600, 2, "shift", 1.0))
    assert drift_large.said(found) == (True, ("number2",), True)
