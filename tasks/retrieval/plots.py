"""Pictures of a version: where the places ranked, how confident it was of what, and which documents it misses."""

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.artifacts import Artifact, current
from tasks.retrieval.evaluation import Row, read_rows
from tasks.retrieval.metrics import DEPTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 30  # documents in a picture, the worst ones
BLUE, RED = "#1f77b4", "#d62728"


def draw(scores: Artifact, threshold: float) -> Artifact:
    """A folder (kind `plots`) of PNG files."""
    rows = read_rows(scores)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture(folder / "ranks.png", lambda axes: _ranks(axes, rows))
        picture(folder / "confidence.png", lambda axes: _confidence(axes, rows, threshold))
        picture(folder / "documents.png", lambda axes: _documents(axes, rows))
        return current().put_folder("plots", folder)


def missed(rows: list[Row]) -> list[tuple[str, float, int]]:
    """Each document's recall@10 and number of questions, the worst first."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.answerable:
            groups[row.group].append(row)
    told = [
        (name, sum(row.rank is not None for row in group) / len(group), len(group)) for name, group in groups.items()
    ]
    return sorted(told, key=lambda one: (one[1], one[0]))


def picture(path: Path, paint: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    paint(figure.add_subplot())
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _ranks(axes: "Axes", rows: list[Row]) -> None:
    places = [*map(str, range(1, DEPTH + 1)), "none"]
    ranks = [str(row.rank or "none") for row in rows if row.answerable]
    axes.bar(places, [ranks.count(place) for place in places], color=BLUE)
    axes.set(xlabel="rank of the place that answers", ylabel="questions", title="Where the answers ranked")


def _confidence(axes: "Axes", rows: list[Row], threshold: float) -> None:
    for answerable, colour, label in ((True, BLUE, "answerable"), (False, RED, "unanswerable")):
        values = [row.confidence for row in rows if row.answerable is answerable]
        if values:
            axes.hist(values, bins=20, alpha=0.6, color=colour, label=label)
    axes.axvline(threshold, color="grey", linestyle="--", label=f"threshold {threshold:.3g}")
    axes.legend()
    axes.set(xlabel="confidence", ylabel="questions", title="Confidence that the documents answer")


def _documents(axes: "Axes", rows: list[Row]) -> None:
    worst = missed(rows)[:SHOWN][::-1]
    axes.barh([f"{name} ({count})" for name, _, count in worst], [recall for _, recall, _ in worst], color=BLUE)
    axes.set(xlabel="recall@10", title="Documents with the lowest recall (number of questions)", xlim=(0, 1))
