"""The three families behind one protocol: learned, stored, loaded, and answering in the order that was asked."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks import artifacts
from tasks.artifacts import Artifact, current
from tasks.creative import training
from tasks.creative.choosing import choose
from tasks.creative.classifier import CARD, Classifier
from tasks.creative.encoder import MODEL, EncoderScorer, Precision, read_about, write_about
from tasks.creative.exporting import Exported, export, worse
from tasks.creative.fitting import Part, calibrated, fit_constant, fit_frozen, fit_tfidf, material
from tasks.creative.scoring import score
from tasks.creative.tuning import Tuned, tune, within
from tasks.errors import BadInput, NotFound, OverBudget
from tasks.retrieval.onnx import quantized
from tasks.sources.frames import put_table, read_table
from tasks.sources.products import products
from tasks.tables.evaluation import scored
from tasks.tables.link import link
from tests.creative.room import OPTIONS, RECIPE, ROWS, Room, room, table
from tests.retrieval import tiny as vectors
from tests.retrieval.conftest import tiny_folder, tiny_raw

__all__ = ["tiny_folder", "tiny_raw"]  # fixtures


@pytest.fixture
def here(shop_root: Path) -> object:
    with artifacts.opened(shop_root) as store:
        yield store


def loaded(model: Artifact) -> Classifier:
    return Classifier.load(current().path(model), lambda artifact: current().path(artifact))


def scores(model: Artifact, shop: Room) -> Artifact:
    return score(model, shop.texts.artifact, shop.split.artifact)


def test_answers_come_in_the_order_that_was_asked(here: object, encoder: Artifact, words: Artifact) -> None:
    some = [one.description.split() for one in products(7)]
    texts = [" ".join(one[:length]) for one, length in zip(some, (40, 1, 25, 3, 60, 2, 9), strict=True)]
    for model in (encoder, words):
        classifier = loaded(model)
        alone = np.concatenate([classifier.scorer.log_odds([text]) for text in texts])
        assert classifier.scorer.log_odds(texts) == pytest.approx(alone, abs=1e-5)
        assert len(set(np.round(alone, 4))) > 1


def test_what_is_not_read_is_told(here: object, encoder: Artifact, words: Artifact) -> None:
    record = {"title": "Blue kettle", "category": "kitchen", "description": "It boils. " * 40, "price": 20.0}

    def unread(model: Artifact, **changed: str) -> list[str]:
        classifier = loaded(model)
        return classifier.cut(record | changed, classifier.text(record | changed))

    assert unread(encoder) == ["description", "price"] and unread(encoder, description="It boils.") == []
    assert unread(words) == [] and unread(words, title="kettle " * 5000) == ["title"]
    assert 0 < encoder.meta["cut"] < ROWS and words.meta["cut"] == 0


def test_scores_are_in_the_order_of_the_rows(here: object, shop: Room, encoder: Artifact) -> None:
    """Trainer's own `predict` would not give them so, with batches of like length."""
    found = read_table(scores(encoder, shop))
    rows = read_table(shop.texts.artifact).to_pylist()
    classifier = loaded(encoder)
    for place in (0, 7, 31):
        row = rows[found["position"][place].as_py()]
        (alone,) = classifier.probabilities([classifier.text(row)])
        assert found["p0"][place].as_py() == pytest.approx(alone, abs=1e-6)


def test_what_is_exported_says_what_torch_says(here: object, exported: Exported, tuned: Tuned) -> None:
    assert exported.difference < 1e-5 and exported.note is None
    folder = current().path(tuned.encoder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "encoder.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    assert not [path for path in current().path(exported.artifact).iterdir() if path.suffix in (".bin", ".pt")]


def test_eight_bits_are_taken_only_where_they_are_as_good(here: object, shop: Room, tuned: Tuned) -> None:
    asked = (tuned.encoder, shop.texts.artifact, shop.split.artifact, shop.subject, "int8", "auc")
    found = export(*asked)
    assert (found.precision == "int8") == (found.note is None)
    small, whole = (current().path(one.artifact) / MODEL for one in (found, export(*asked[:4], "fp32", "auc")))
    assert (small.stat().st_size < 0.7 * whole.stat().st_size) == (found.precision == "int8")


def test_what_lost_its_metric_is_not_served(here: object, shop: Room, exported: Exported, tmp_path: Path) -> None:
    wide, narrow = current().path(exported.artifact), tmp_path / "narrow"
    texts = material(shop.texts.artifact, shop.split.artifact, shop.subject).valid.texts
    odds = EncoderScorer(wide).log_odds(texts)
    part = Part(texts, (odds > np.median(odds)).astype(np.float64))  # which it tells apart without a fault
    assert worse(wide, wide, part, "auc") is None
    shutil.copytree(wide, narrow)
    write_about(narrow, read_about(wide).model_copy(update={"max_tokens": 3}))  # the first word alone
    told = worse(wide, narrow, part, "auc")
    assert told is not None and told.endswith("fp32 is kept")


def test_in_eight_bits_neighbours_change_no_score(here: object, exported: Exported, tmp_path: Path) -> None:
    source = current().path(exported.artifact)
    shutil.copytree(source, tmp_path / "int8")
    quantized(source / MODEL, tmp_path / "int8" / MODEL)
    texts = [one.description for one in products(12)]

    def apart_by(precision: Precision) -> float:
        write_about(tmp_path / "int8", read_about(source).model_copy(update={"precision": precision}))
        scorer = EncoderScorer(tmp_path / "int8")
        return float(np.abs(scorer.log_odds(texts) - [scorer.log_odds([text])[0] for text in texts]).max())

    assert apart_by("int8") == 0 < apart_by("fp32")


def test_the_same_training_gives_the_same_encoder(here: object, shop: Room, base: Artifact, tuned: Tuned) -> None:
    again = tune(base, shop.texts.artifact, shop.split.artifact, shop.subject, OPTIONS)
    assert (again.encoder, again.curve) == (tuned.encoder, tuned.curve)
    assert tuned.steps == 2 * -(-shop.split.report[0].rows // 16)


def test_what_would_take_too_long_is_not_begun(here: object, shop: Room, base: Artifact) -> None:
    longer = OPTIONS.model_copy(update={"epochs": 1000})
    with within(1.0), pytest.raises(OverBudget, match=r"it would take about .*, and 1 s are left of the budget"):
        tune(base, shop.texts.artifact, shop.split.artifact, shop.subject, longer)


def test_frozen_embeddings_are_kept_by_text(here: object, shop: Room, tiny_folder: Path) -> None:
    weights = vectors.put_weights(tiny_folder)
    model = fit_frozen(shop.texts.artifact, shop.split.artifact, shop.subject, RECIPE.texts, "auc", weights)
    kept = current().list(f"embeddings/{weights.digest}")
    again = fit_frozen(shop.texts.artifact, shop.split.artifact, shop.subject, RECIPE.texts, "auc", weights)
    assert again == model and current().list(f"embeddings/{weights.digest}") == kept
    classifier = loaded(model)
    assert classifier.card.model == weights
    assert classifier.probabilities(["a kettle", "a tent"]).shape == (2,)


def test_probabilities_are_calibrated() -> None:
    dice = np.random.default_rng(0)
    truth = dice.normal(0, 2, 20_000)
    happened = (dice.random(20_000) < link("binary", truth)).astype(np.float64)
    slope, shift = calibrated(truth * 3 - 1, happened)
    assert (slope, shift) == (pytest.approx(1 / 3, abs=0.02), pytest.approx(1 / 3, abs=0.05))
    slope, shift = calibrated(-truth, happened)  # worse than chance: the share, whatever the text
    assert slope == 0 and link("binary", np.array([shift])) == pytest.approx(happened.mean(), abs=1e-3)


def turned(known: Artifact) -> Artifact:
    """The scores of a model that is as wrong as the other is right in every tenth row, and else says nothing."""
    rows = read_table(known)
    said = [1 - one if place % 10 == 0 else 0.5 for place, one in enumerate(rows["p0"].to_pylist())]
    return put_table("scores", rows.set_column(rows.column_names.index("p0"), "p0", pa.array(said)))


def test_the_best_is_offered_or_a_cheaper_one_that_ties(here: object, shop: Room, words: Artifact) -> None:
    texts, split, subject = shop.texts.artifact, shop.split.artifact, shop.subject
    constant = fit_constant(texts, split, subject, RECIPE.texts)
    floor, known = scores(constant, shop), scores(words, shop)
    choice = choose({"tfidf": known, "embedding": known, "encoder": known}, floor, texts, subject, "auc")
    assert choice.family == "tfidf" and choice.refusal is None
    assert choice.worth["tfidf"].value > 0.6
    choice = choose({"tfidf": floor, "encoder": known}, floor, texts, subject, "auc")
    assert choice.family == "encoder" and choice.why.startswith("encoder is the best, before tfidf by")
    reverse = turned(known)
    choice = choose({"tfidf": reverse, "encoder": known}, floor, texts, subject, "auc")
    assert choice.family == "encoder", "what knows less than nothing ties with nothing"
    choice = choose({"tfidf": floor}, floor, texts, subject, "auc")
    assert choice.refusal is not None and "say nothing about the label" in choice.refusal


def test_shuffled_labels_teach_nothing(here: object) -> None:
    rows = table(600)
    ratings = np.random.default_rng(3).permutation(rows["rating"].to_numpy())
    made = room(rows.set_column(rows.column_names.index("rating"), "rating", pa.array(ratings)))
    model = fit_tfidf(made.texts.artifact, made.split.artifact, made.subject, RECIPE.texts, "auc")
    test = scored(scores(model, made), made.texts.artifact, made.subject)
    assert np.std(test.predictions) < 0.1


def test_a_base_with_a_head_for_other_classes_gets_a_new_one(here: object, base: Artifact, tmp_path: Path) -> None:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig.from_pretrained(current().path(base))
    config.num_labels, config.problem_type = 3, "multi_label_classification"
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    model = training.loaded(tmp_path, ignore_mismatched_sizes=True)
    assert model.classifier.out_features == 2 and model.config.problem_type == "single_label_classification"


def test_what_is_no_classifier_is_told(here: object, shop: Room, words: Artifact, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no readable classifier\.json"):
        Classifier.load(tmp_path, lambda artifact: tmp_path)
    (tmp_path / CARD).write_text(json.dumps({"family": "forest"}))
    with pytest.raises(BadInput, match=r"no readable classifier\.json"):
        Classifier.load(tmp_path, lambda artifact: tmp_path)
    fewer = put_table("texts", read_table(shop.texts.artifact).drop_columns(["price"]))
    with pytest.raises(NotFound, match="reads the columns price, which the data has no more"):
        score(words, fewer, shop.split.artifact)
