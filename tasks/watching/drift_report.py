"""Evidently's page about a window, with our verdict on top and in every column, kept for its UI.

Evidently draws and keeps the history; it decides nothing, since its own tests call drift where there is none (its
chi-square takes the reference as exact) and its share of drifted columns misses what few columns show.
"""

import os
import tempfile
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.watching.columns import Pair, Values, paired
from tasks.watching.comparing import ColumnTest, small
from tasks.watching.counting import Rows, counted
from tasks.watching.drift import Verdict
from tasks.watching.reports import inert
from tasks.watching.workspace import keep

METHOD = "penstock"
DRAWN = ("number", "level", "text")
# which column exceeds, and by what: the test that Evidently calls while it draws has no other way to know
_effects: ContextVar[Mapping[str, tuple[float, bool]]] = ContextVar("effects")


def drift(
    reference: Rows, window: Rows, verdict: Verdict, path: Path, workspace: Path, release: str, name: str, at: datetime
) -> None:
    """Write the page of a window to `path`, and add the run `name` of the time `at` to the release's project in the
    workspace; each whole or not at all. The same release and name again replace the run."""
    os.environ["DO_NOT_TRACK"] = "1"
    pairs = [_inert(pair) for pair in _pairs(reference, window, verdict)]
    told = _run(pairs, Verdict.model_validate_json(inert(verdict.model_dump_json())), name, at)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as aside:
        page = Path(aside) / path.name
        told.save_html(str(page))
        page.replace(path)
    keep(told, workspace, release, name)


def _pairs(reference: Rows, window: Rows, verdict: Verdict) -> list[Pair]:
    """The columns that are drawn: those whose values were tested."""
    before, after = counted(reference), counted(window)
    tested = sorted({test.column for test in verdict.tests if test.of == "values"})
    return [pair for pair in (paired(name, before, after) for name in tested) if pair.kind in DRAWN]


def _inert(pair: Pair) -> Pair:
    return replace(pair, name=inert(pair.name), levels=tuple(map(inert, pair.levels)))


def _run(pairs: list[Pair], verdict: Verdict, name: str, at: datetime) -> Any:
    from evidently import DataDefinition, Dataset, Report

    _register()
    levels = [pair.name for pair in pairs if pair.kind == "level"]
    numbers = [pair.name for pair in pairs if pair.kind != "level"]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=levels)
    frames = [
        Dataset.from_pandas(
            pd.DataFrame({pair.name: _drawn(pair, getattr(pair, side)) for pair in pairs}), data_definition=definition
        )
        for side in ("window", "reference")
    ]
    effects = {test.column: test for test in verdict.tests if test.of == "values"}
    token = _effects.set({column: (test.effect, column in verdict.drifted) for column, test in effects.items()})
    try:
        report = Report([_page(verdict, effects)])
        with np.errstate(divide="ignore", invalid="ignore"):  # it correlates columns that hold one value
            return report.run(*frames, timestamp=at, metadata=_metadata(verdict), tags=[headline(verdict)], name=name)
    finally:
        _effects.reset(token)


def _drawn(pair: Pair, side: Values) -> Any:
    if pair.kind != "level":
        return side
    names = np.array([*pair.levels, None], object)
    return names[np.where(np.isnan(side), len(pair.levels), side).astype(int)]


def headline(verdict: Verdict) -> str:
    if not verdict.enough:
        return "not enough data"
    return "drift" if verdict.exceeds else "no drift"


def _metadata(verdict: Verdict) -> dict[str, str]:
    together = str(verdict.joint.auc) if verdict.joint else "none"
    return {
        "verdict": headline(verdict),
        "drifted columns": ", ".join(verdict.drifted) or "none",
        "joint AUC": together,
        "reference rows": str(verdict.reference_rows),
        "window rows": str(verdict.window_rows),
        "reasons": "; ".join(verdict.reasons) or "none",
    }


def _register() -> None:
    """Evidently's way to a method of one's own: a function that returns a score and whether it is drift."""
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    kinds = [ColumnType.Numerical, ColumnType.Categorical]
    shown = "effect of the values; the table on top says why"
    register_stattest(StatTest(METHOD, shown, kinds), default_impl=_told)


def _told(reference: pd.Series, window: pd.Series, kind: object, threshold: float) -> tuple[float, bool]:
    return _effects.get()[str(reference.name)]


def _page(verdict: Verdict, effects: Mapping[str, ColumnTest]) -> Any:
    """The verdict in words and as a table, then Evidently's widgets of each column, drifted ones first."""
    from evidently.core.container import MetricContainer
    from evidently.legacy.renderers.html_widgets import table_data, text_widget
    from evidently.metrics import DriftedColumnsCount, ValueDrift

    order = sorted(effects, key=lambda column: (column not in verdict.drifted, column))

    class Page(MetricContainer):
        def generate_metrics(self, context: Any) -> list[Any]:
            count = [DriftedColumnsCount(method=METHOD, drift_share=1.0)] if order else []
            each = [ValueDrift(column=name, method=METHOD, threshold=effects[name].floor) for name in order]
            return [*count, *each]

        def render(self, context: Any, child_widgets: Any = None) -> list[Any]:
            text = text_widget(title=f"Verdict: {headline(verdict)}", text=_words(verdict))
            table = table_data(title="What was tested", column_names=HEADER, data=_table(verdict))
            return [text, table, *super().render(context, child_widgets)]

    return Page(include_tests=False)


HEADER = ["column", "of", "from → to", "measure", "effect", "floor", "p", "p corrected", "exceeds"]


def _table(verdict: Verdict) -> list[list[str]]:
    tests = sorted(verdict.tests, key=lambda test: (not test.exceeds, test.column))
    return [[*_words_of(test), "yes" if test.exceeds else "no"] for test in tests]


def _words_of(test: ColumnTest) -> list[str]:
    numbers = f"{test.effect:.3g}", f"{test.floor:g}", small(test.p), small(test.corrected)
    return [test.column, test.of, test.told, test.method, *numbers]


def _words(verdict: Verdict) -> str:
    lines = [f"{verdict.window_rows} rows against {verdict.reference_rows} of the reference."]
    lines += [f"- {reason}" for reason in verdict.reasons]
    if verdict.joint and not verdict.joint.exceeds:
        lines.append(
            f"- all columns together: AUC {verdict.joint.auc}, whose lower bound is below {verdict.joint.floor}"
        )
    lines += [f"- {name}: {why}" for name, why in verdict.untested.items()]
    return "\n".join(lines)
