"""Where "not" turns a statement round, an encoder that reads it beats counted words, and the interval says so."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from tasks import artifacts
from tasks.artifacts import Artifact
from tasks.creative.bases import packaged
from tasks.creative.exporting import export
from tasks.creative.fitting import fit_tfidf, wrap_encoder
from tasks.creative.scoring import score
from tasks.creative.specs import CreativeRecipe, EncoderOptions
from tasks.creative.tuning import tune
from tasks.language.base import weight_bytes
from tasks.sources.catalog import load_dataset
from tasks.sources.fetch import fetch
from tasks.tables.evaluation import scored
from tasks.tables.metrics import difference, measure
from tests import minilm
from tests.creative.reviews import reviews
from tests.creative.room import RECIPE, room, table

ROWS = 2000
REVIEWS = CreativeRecipe(name="reviews", dataset="reviews", texts=("text",), label="label", positive="praise")


def labelled() -> pa.Table:
    label, text = zip(*reviews(ROWS, 0), strict=True)
    return pa.table({"label": label, "text": text})


@pytest.fixture
def base(pytestconfig: pytest.Config) -> tuple[Path, Artifact]:
    """A store, and in it MiniLM as its package holds it."""
    assert pytestconfig.cache is not None
    root = pytestconfig.cache.mkdir("minilm")
    minilm.weights(root)  # skips where there is none
    with artifacts.opened(root):
        dataset = load_dataset("minilm", [minilm.DATA])
        files = {file.part: file.artifact for file in fetch(dataset, {}).files}
        return root, packaged(files, "MiniLM", dataset.licence).artifact


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("made", "recipe", "epochs"), [(labelled, REVIEWS, 3), (lambda: table(ROWS), RECIPE, 6)], ids=["csv", "shop"]
)
def test_a_fine_tuned_encoder_beats_counted_words(
    base: tuple[Path, Artifact],
    made: Callable[[], pa.Table],
    recipe: CreativeRecipe,
    epochs: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, weights = base
    with artifacts.opened(root):
        some = room(made(), recipe)
        texts, split, subject = some.texts.artifact, some.split.artifact, some.subject
        words = fit_tfidf(texts, split, subject, recipe.texts, "auc")
        options = EncoderOptions(epochs=epochs).settled(weight_bytes(weights))
        learned = tune(weights, texts, split, subject, options).encoder
        model = export(learned, texts, split, subject, "fp32", "auc").artifact
        encoder = wrap_encoder(texts, split, subject, recipe.texts, model, {})
        ours, theirs = (scored(score(one, texts, split), texts, subject) for one in (encoder, words))
    metrics = ("auc", "accuracy")
    worth = [measure(metrics, one.target, one.predictions, one.groups) for one in (theirs, ours)]
    lead = difference("auc", ours.target, ours.predictions, theirs.predictions, ours.groups)
    with capsys.disabled():
        told = ", ".join(f"{metric} {worth[0][metric]} to {worth[1][metric]}" for metric in metrics)
        print(f"\n{len(ours.target)} test rows: {told}; AUC differs by {lead}")  # noqa: T201
    assert lead.low > 0
