"""Pictures of a version: which model is worth what, calibration, ROC and PR, and how the encoder's loss fell."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.artifacts import Artifact, current
from tasks.creative.choosing import Choice
from tasks.language.plots import losses
from tasks.retrieval.plots import BLUE, picture
from tasks.tables.evaluation import Evaluation, scored
from tasks.tables.plots import precision_recall, reliability, roc
from tasks.tables.specs import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(
    choice: Choice, scores: Artifact, texts: Artifact, evaluation: Evaluation, subject: Subject, curve: Artifact | None
) -> Artifact:
    """A folder (kind `plots`) of PNG files."""
    test = scored(scores, texts, subject)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture(folder / "candidates.png", lambda axes: _worth(axes, choice))
        picture(folder / "reliability.png", lambda axes: reliability(axes, evaluation))
        picture(folder / "roc.png", lambda axes: roc(axes, test))
        picture(folder / "precision_recall.png", lambda axes: precision_recall(axes, test))
        if curve is not None:
            picture(folder / "loss.png", lambda axes: losses(axes, current().read_json(curve), "a text"))
        return current().put_folder("plots", folder)


def _worth(axes: "Axes", choice: Choice) -> None:
    names, found = [*choice.worth], [*choice.worth.values()]
    spread = [[one.value - one.low for one in found], [one.high - one.value for one in found]]
    colours = [BLUE if name == choice.family else "grey" for name in names]
    axes.barh(names, [one.value for one in found], xerr=spread, color=colours, capsize=3)
    axes.set(xlabel=f"{choice.metric} on the validation part, with 95 % intervals", title=f"Offered: {choice.family}")
