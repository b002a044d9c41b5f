"""Budgets: what is too large or too slow is refused with its number; without a budget nothing is measured."""

from pathlib import Path

from tasks.registry.budgets import latency_check, size_check
from tasks.registry.recipes import Budgets


def test_all_files_count(tmp_path: Path) -> None:
    for name in ("a/one", "b/two"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(bytes(300_000))
    folders = [tmp_path / "a", tmp_path / "b"]
    (fits,), (large,) = (size_check("release", folders, Budgets(size_mb=bound)) for bound in (0.6, 0.5))
    assert fits.ok and not large.ok and large.number == 0.6
    assert large.text == "The release has 0.60 MB; the recipe allows 0.5 MB."


def test_a_slow_call_is_measured_again_before_it_is_refused() -> None:
    asked: list[int] = []

    def call(item: int) -> int:
        asked.append(item)
        return sum(range(item))

    (slow,) = latency_check("prediction", call, [50_000, 60_000], Budgets(latency_ms=0.001))
    assert not slow.ok and slow.measured and slow.number is not None and slow.number > 0.001
    (quick,) = latency_check("prediction", lambda _: None, [1], Budgets(latency_ms=1000))
    assert quick.ok and set(asked) == {50_000, 60_000} and len(asked) == 200


def test_without_a_budget_nothing_is_called() -> None:
    assert size_check("release", [Path("nowhere")], Budgets()) == []
    assert latency_check("prediction", lambda _: 1 / 0, [1], Budgets()) == []
