"""Pictures of a version: how the loss fell, what tuning changed, and how surely each answer was known."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.artifacts import Artifact, current
from tasks.language.evaluation import Evaluation, read_rows, telling
from tasks.retrieval.plots import BLUE, RED, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = ("exact_match", "f1", "rouge_l", "bleu", "refused", "leaked")


def draw(curve: Artifact, base: Evaluation, tuned: Evaluation) -> Artifact:
    """A folder (kind `plots`) of PNG files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture(folder / "loss.png", lambda axes: losses(axes, current().read_json(curve), "an answer's token"))
        picture(folder / "scores.png", lambda axes: _scores(axes, base, tuned))
        picture(folder / "answers.png", lambda axes: _answers(axes, base, tuned))
        return current().put_folder("plots", folder)


def losses(axes: "Axes", rows: list[dict[str, float]], what: str) -> None:
    for name, colour, label in (("loss", BLUE, "learned examples"), ("eval_loss", RED, "valid examples")):
        some = [(row["step"], row[name]) for row in rows if name in row]
        if some:
            axes.plot(*zip(*some, strict=True), color=colour, label=label, marker="." if name == "eval_loss" else "")
    axes.legend()
    axes.set(xlabel="step", ylabel=f"loss of {what}, nats", title="Training", ylim=(0, None))


def _scores(axes: "Axes", base: Evaluation, tuned: Evaluation) -> None:
    names = [name for name in SHOWN if name in tuned.metrics]
    for shift, side, colour, label in ((-0.2, base, "grey", "base"), (0.2, tuned, BLUE, "tuned")):
        found = [side.metrics[name] for name in names]
        spread = [[one.value - one.low for one in found], [one.high - one.value for one in found]]
        places = [place + shift for place in range(len(names))]
        axes.bar(places, [one.value for one in found], 0.4, yerr=spread, color=colour, label=label, capsize=3)
    axes.set_xticks(range(len(names)), names)
    axes.legend()
    axes.set(ylim=(0, 1), ylabel="share", title="Base against tuned, with 95 % intervals")


def _answers(axes: "Axes", base: Evaluation, tuned: Evaluation) -> None:
    """Both on logarithmic axes: below the line the tuned model knows the answer better."""
    pairs = [[row.loss / row.tokens for row in telling(read_rows(side.scores))] for side in (base, tuned)]
    least = 1e-4
    one, other = ([max(value, least) for value in values] for values in pairs)
    axes.scatter(one, other, s=8, color=BLUE, alpha=0.5)
    ends = (least, max(*one, *other))
    axes.plot(ends, ends, color="grey", linestyle="--")
    axes.set(xscale="log", yscale="log", xlabel="base", ylabel="tuned", title="Loss of each expected answer, per token")
