"""Texts from outside reach the terminal as they were written."""

import pytest

from flows import console

TEXTS = ("[draft] plan.md", "Why [/INST] that?", "[bold]x[/bold]", "at :warning: 9")


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_shown_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.out.print(f"taken out: {text}")
    console.show(f"title {text}", ("what", f"column {text}"), [("row", text)])
    told = capsys.readouterr().out
    assert told.count(text) == 4
