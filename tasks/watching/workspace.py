"""Evidently's workspace: a project for each release, a run for each window; `evidently ui` shows them over time."""

import tempfile
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5


def project_id(release: str) -> UUID:
    """The project of a release in every workspace."""
    return uuid5(NAMESPACE_URL, f"penstock/{release}")


def keep(told: Any, workspace: Path, release: str, name: str) -> None:
    """Add a snapshot as the run `name`, made aside and moved in: the UI lists whatever lies in the folder."""
    from evidently.sdk.models import ProjectModel
    from evidently.ui.workspace import Workspace

    project = project_id(release)
    target = workspace / str(project)
    (target / "snapshots").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workspace, prefix=".") as aside:
        made = Workspace.create(aside)
        board = made.add_project(ProjectModel(id=project, name=release)).dashboard
        for panel in _panels():
            board.add_panel(panel)
        run = made.add_run(project, told, include_data=False)
        folder = Path(aside) / str(project)
        (folder / "snapshots" / f"{run.id}.json").replace(target / "snapshots" / f"{uuid5(project, name)}.json")
        for file in ("dashboard.json", "metadata.json"):
            if not (target / file).exists():
                (folder / file).replace(target / file)


def _panels() -> list[Any]:
    from evidently.sdk.models import PanelMetric
    from evidently.sdk.panels import line_plot_panel, text_panel

    share = PanelMetric(metric="DriftedColumnsCount", metric_labels={"value_type": "share"}, legend="share")
    effects = PanelMetric(metric="ValueDrift", legend="{{column}}")
    return [
        text_panel(
            "Drift by window", "Joint drift shows in a run's tags and verdict, not in the share of its columns."
        ),
        line_plot_panel("Share of drifted columns", [share]),
        line_plot_panel("Effect by column", [effects], "KS D for numbers (floor 0.05), PSI for levels (floor 0.02)"),
    ]
