"""Pictures of a version on its test part: calibration, ROC and PR or residuals, and what each input contributes."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tasks.artifacts import Artifact, current
from tasks.sources.frames import read_table
from tasks.tables.arrays import columns_of
from tasks.tables.evaluation import Evaluation, Scored, scored
from tasks.tables.models import Model, load_model
from tasks.tables.specs import Subject
from tasks.tables.transform import Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = 1000  # that contributions are computed for
SHOWN = 20  # inputs in a picture
BLUE = "#1f77b4"


def draw(model: Artifact, features: Artifact, scores: Artifact, evaluation: Evaluation, subject: Subject) -> Artifact:
    """A folder (kind `plots`) of PNG files, and `effects.json`: mean absolute contribution of each input."""
    loaded = load_model(current().path(model))
    test = scored(scores, features, subject)
    effects, matrix, parts = _contributions(loaded, features, test)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "effects.json").write_text(json.dumps(effects, indent=1) + "\n", encoding="utf-8")
        _picture(folder / "effects.png", lambda axes: _effects(axes, effects))
        _picture(folder / "effect_shapes.png", lambda axes: _swarm(axes, loaded, list(effects), matrix, parts))
        if subject.task == "binary":
            _picture(folder / "reliability.png", lambda axes: reliability(axes, evaluation))
            _picture(folder / "roc.png", lambda axes: roc(axes, test))
            _picture(folder / "precision_recall.png", lambda axes: precision_recall(axes, test))
        elif subject.task == "regression":
            _picture(folder / "residuals.png", lambda axes: _residuals(axes, test))
        else:
            _picture(folder / "confusion.png", lambda axes: _confusion(axes, loaded, test))
        return current().put_folder("plots", folder)


def _contributions(model: Model, features: Artifact, test: Scored) -> tuple[dict[str, float], Matrix, Matrix]:
    """Mean absolute contributions, largest first; the encoded rows; their contributions summed over the outputs."""
    picked = test.positions[:ROWS]
    columns = columns_of(read_table(features, model.transform.names).take(pa.array(picked)), model.transform.names)
    matrix = model.transform.encode_columns(columns)
    parts = model.scorer.contributions(matrix)[:, :, :-1]
    means = np.abs(parts).mean(axis=(0, 1))
    order = np.argsort(-means, kind="stable").tolist()
    return {model.transform.names[place]: float(means[place]) for place in order}, matrix, parts.sum(axis=1)


def _picture(path: Path, paint: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    paint(figure.add_subplot())
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _effects(axes: "Axes", effects: dict[str, float]) -> None:
    top = list(effects.items())[:SHOWN][::-1]
    axes.barh([name for name, _ in top], [size for _, size in top], color=BLUE)
    axes.set(xlabel="mean absolute contribution to the raw score", title="What the model looks at")


def _swarm(axes: "Axes", model: Model, ranked: list[str], matrix: Matrix, parts: Matrix) -> None:
    """One dot per row: contribution across, input's rank among its values as colour."""
    generator = np.random.default_rng(0)
    for height, name in enumerate(ranked[:SHOWN][::-1]):
        place = model.transform.names.index(name)
        values = matrix[:, place]
        ranks = np.argsort(np.argsort(np.nan_to_num(values, nan=-np.inf))) / max(len(values) - 1, 1)
        heights = height + generator.uniform(-0.3, 0.3, len(values))
        axes.scatter(parts[:, place], heights, c=ranks, cmap="coolwarm", s=4)
    axes.set_yticks(range(len(ranked[:SHOWN])), ranked[:SHOWN][::-1])
    axes.set(xlabel="contribution to the raw score", title="Low (blue) and high (red) values of each input")


def reliability(axes: "Axes", evaluation: Evaluation) -> None:
    said = [group.said for group in evaluation.reliability]
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--")
    axes.plot(said, [group.happened for group in evaluation.reliability], marker="o", color=BLUE)
    axes.set(xlabel="probability said", ylabel="share that happened", title="Reliability")


def roc(axes: "Axes", test: Scored) -> None:
    hits, alarms = _cumulated(test)
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--")
    axes.plot(alarms / max(alarms[-1], 1), hits / max(hits[-1], 1), color=BLUE)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")


def precision_recall(axes: "Axes", test: Scored) -> None:
    hits, alarms = _cumulated(test)
    axes.plot(hits / max(hits[-1], 1), hits / (hits + alarms), color=BLUE)
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", ylim=(0, 1.02))


def _cumulated(test: Scored) -> tuple[Matrix, Matrix]:
    """True and false positives when the k highest scores are called positive, k = 1 ... n."""
    truth = test.target[np.argsort(-test.predictions[:, 0], kind="stable")]
    return np.cumsum(truth), np.cumsum(1 - truth)


def _residuals(axes: "Axes", test: Scored) -> None:
    predictions = test.predictions[:, 0]
    axes.axhline(0, color="grey", linestyle="--")
    axes.scatter(predictions, test.target - predictions, s=6, alpha=0.4, color=BLUE)
    axes.set(xlabel="prediction", ylabel="truth - prediction", title="Residuals")


def _confusion(axes: "Axes", model: Model, test: Scored) -> None:
    names = [str(label) for label in model.card.classes]
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (test.target.astype(int), test.predictions.argmax(axis=1)), 1)
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="prediction", ylabel="truth", title="Share of each class by prediction")
