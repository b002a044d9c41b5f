"""Texts from outside reach the terminal as they were written."""

import pytest

from flows import console
from tasks.planning import Line

TEXTS = ("[draft] plan.md", "Why [/INST] that?", "[bold]x[/bold]", "at :warning: 9")


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_shown_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.out.print(f"taken out: {text}")
    console.show(f"title {text}", ("what", f"column {text}"), [("row", text)])
    told = capsys.readouterr().out
    assert told.count(text) == 4


def test_a_plan_keeps_the_names_of_steps_whole_and_says_where_nothing_would_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    step = "retrieval.release_folder.assemble_everything"
    lines = [
        Line(step=f"tasks.{step}", state="runs", why="edited: tasks.retrieval.release_folder"),
        Line(step="a", state="cached"),
    ]
    console.show_plan("papers", lines)
    told = capsys.readouterr().out
    assert step in told and f"tasks.{step}" not in told and "nothing would run" not in told
    console.show_plan("papers", lines[1:])
    assert "nothing would run" in capsys.readouterr().out
