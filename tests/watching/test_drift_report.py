"""Evidently's page says what the verdict says; the workspace holds each window once and whole."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.watching.drift import Verdict, verdict
from tasks.watching.drift_report import drift
from tasks.watching.workspace import project_id
from tests.watching.test_drift import REFERENCE, put, table

# importing Evidently takes 7 to 20 seconds
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
AT = datetime(2026, 3, 1, tzinfo=UTC)
EVIL = "</script><script>alert(1)</script>"


def write(window: pa.Table, folder: Path, name: str = "window 1", reference: pa.Table = REFERENCE) -> Verdict:
    found = verdict(reference, window)
    drift(reference, window, found, folder / f"{name}.html", folder / "workspace", "houses", name, AT)
    return found


def runs(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "workspace" / str(project_id("houses")) / "snapshots").iterdir())
    return [json.loads(file.read_bytes()) for file in files]


def effects(run: dict[str, Any]) -> dict[str, float]:
    """The value of each column's metric, as the UI plots it."""
    metrics = [(one["metric_value_location"]["metric"]["params"], one) for one in run["metric_results"].values()]
    return {params["column"]: one["value"] for params, one in metrics if params["type"].endswith("ValueDrift")}


def test_the_page_has_our_verdict_on_every_column(tmp_path: Path) -> None:
    window = put(table(900, 2, shift=0.3), "when", [AT] * 900)
    found = write(window, tmp_path)
    page = (tmp_path / "window 1.html").read_text(encoding="utf-8")
    assert "Verdict: drift" in page and json.dumps(found.reasons[0])[1:-1] in page
    assert "<script src=" not in page and "<link " not in page  # nothing is fetched when it is opened
    (run,) = runs(tmp_path)
    assert run["tags"] == ["drift"] and run["metadata"]["drifted columns"] == "size"
    assert run["name"] == "window 1" and run["timestamp"].startswith("2026-03-01")
    assert effects(run) == {test.column: test.effect for test in found.tests if test.of == "values"}
    assert len(effects(run)) == 5


def test_each_window_is_kept_once_and_nothing_half_written_stays(tmp_path: Path) -> None:
    for name in ("window 1", "window 2", "window 2"):
        write(table(900, 2), tmp_path, name)
    assert {run["name"] for run in runs(tmp_path)} == {"window 1", "window 2"} and len(runs(tmp_path)) == 2
    workspace = tmp_path / "workspace"
    assert [one.name for one in workspace.iterdir()] == [str(project_id("houses"))]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["window 1.html", "window 2.html", "workspace"]
    board = json.loads((workspace / str(project_id("houses")) / "dashboard.json").read_bytes())
    assert "Share of drifted columns" in [panel["title"] for panel in board["panels"]]


def test_what_callers_send_cannot_end_the_script_of_the_page(tmp_path: Path) -> None:
    window = put(table(900, 2), "town", [EVIL] * 900)
    found = write(put(window, EVIL, window["size"]), tmp_path, reference=put(REFERENCE, EVIL, REFERENCE["size"]))
    assert found.drifted == ("town",)
    assert "<script>alert" not in (tmp_path / "window 1.html").read_text(encoding="utf-8")


def test_too_few_rows_have_a_page_that_says_so(tmp_path: Path) -> None:
    write(table(10, 2), tmp_path)
    assert "490 rows are missing" in (tmp_path / "window 1.html").read_text(encoding="utf-8")
    assert runs(tmp_path)[0]["tags"] == ["not enough data"]
