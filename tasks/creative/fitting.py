"""The models that compete to judge texts: each is learned on the train part, and calibrated on the validation part."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.artifacts import Artifact, current
from tasks.creative import frozen, tfidf
from tasks.creative.classifier import CARD, Card
from tasks.creative.encoder import EncoderScorer
from tasks.creative.specs import TEXT, Family
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.vectors import embedded
from tasks.sources.frames import read_table
from tasks.tables.arrays import classes_of, column_array, parts_of, target_of
from tasks.tables.link import link
from tasks.tables.metrics import higher_is_better, value
from tasks.tables.specs import Label, Subject
from tasks.tables.transform import Matrix


@dataclass(frozen=True)
class Part:
    texts: list[str]
    target: Matrix


@dataclass(frozen=True)
class Material:
    """What is learned from, and what is chosen and calibrated by; `classes` end with the positive one."""

    train: Part
    valid: Part
    classes: tuple[Label, Label]


def material(texts: Artifact, split: Artifact, subject: Subject) -> Material:
    rows, parts = read_table(texts, [TEXT, subject.target]), parts_of(split)
    said, labels = column_array(rows, TEXT), column_array(rows, subject.target)
    classes = classes_of(labels, subject)
    target = target_of(labels, subject, classes)
    train, valid = (Part(said[parts == name].tolist(), target[parts == name]) for name in ("train", "valid"))
    return Material(train, valid, (classes[0], classes[1]))


def fit_constant(texts: Artifact, split: Artifact, subject: Subject, columns: tuple[str, ...]) -> Artifact:
    """The share of the positive class, whatever the text: what any model must beat."""
    given = material(texts, split, subject)
    return _stored(
        "tfidf", columns, given.classes, lambda folder: tfidf.write(folder, tfidf.constant(given.train.target))
    )


def fit_tfidf(texts: Artifact, split: Artifact, subject: Subject, columns: tuple[str, ...], metric: str) -> Artifact:
    """Words and pairs of words under logistic regression, with the penalty that validates best."""
    given = material(texts, split, subject)
    models = [*tfidf.learned(given.train.texts, given.train.target, tfidf.STRENGTHS)]
    said = [tfidf.TfidfScorer(one).log_odds(given.valid.texts) for one in models]
    place, slope, shift = _best(said, given.valid.target, metric)
    strength, known = tfidf.STRENGTHS[place], models[place]
    facts = {"C": strength, "terms": len(known.terms)}
    card: dict[str, Any] = {"parameters": facts, "slope": slope, "shift": shift}
    return _stored("tfidf", columns, given.classes, lambda folder: tfidf.write(folder, known), **card)


def fit_frozen(
    texts: Artifact, split: Artifact, subject: Subject, columns: tuple[str, ...], metric: str, weights: Artifact
) -> Artifact:
    """Sentence embeddings, kept by text, under logistic regression."""
    given = material(texts, split, subject)
    vectors, _ = embedded([*given.train.texts, *given.valid.texts], weights)
    train, valid = vectors[: len(given.train.texts)], vectors[len(given.train.texts) :]
    models = [*frozen.learned(train, given.train.target, frozen.STRENGTHS)]
    said = [frozen.weighed(valid, np.array(one.weights), one.intercept) for one in models]
    place, slope, shift = _best(said, given.valid.target, metric)
    strength, known = frozen.STRENGTHS[place], models[place]
    longer = cut(Embedder(current().path(weights), weights.digest), given)
    card = {"parameters": {"C": strength}, "slope": slope, "shift": shift, "model": weights}
    return _stored("embedding", columns, given.classes, lambda folder: frozen.write(folder, known), longer, **card)


def wrap_encoder(
    texts: Artifact, split: Artifact, subject: Subject, columns: tuple[str, ...], model: Artifact, facts: dict[str, Any]
) -> Artifact:
    """The classifier over an exported encoder, calibrated."""
    given = material(texts, split, subject)
    scorer = EncoderScorer(current().path(model))
    slope, shift = calibrated(scorer.log_odds(given.valid.texts), given.valid.target)
    card = {"parameters": facts, "slope": slope, "shift": shift, "model": model}
    return _stored("encoder", columns, given.classes, lambda _folder: None, cut(scorer, given), **card)


def cut(reader: Embedder | EncoderScorer, given: Material) -> int:
    """How many texts are longer than is read of them."""
    return sum(reader.reach(text) < len(text) for part in (given.train, given.valid) for text in part.texts)


def calibrated(log_odds: Matrix, target: Matrix) -> tuple[float, float]:
    """Slope and shift that make probabilities of log-odds (Platt 1999). What ranks no better than chance gets the
    slope 0, and with it the share of the positive class for every text."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e4, max_iter=1000).fit(log_odds[:, None], target)
    slope, shift = float(model.coef_[0, 0]), float(model.intercept_[0])
    return (slope, shift) if slope > 0 else (0.0, tfidf.constant(target).intercept)


def _best(said: Sequence[Matrix], target: Matrix, metric: str) -> tuple[int, float, float]:
    """Which of the log-odds validate best, and their slope and shift; ties go to the first."""
    sign = 1 if higher_is_better(metric) else -1
    found = []
    for place, odds in enumerate(said):
        slope, shift = calibrated(odds, target)
        worth = sign * value(metric, target, link("binary", slope * odds + shift)[:, None])
        found.append((worth, place, slope, shift))
    _, place, slope, shift = max(found, key=lambda one: one[0])
    return place, slope, shift


def _stored(
    family: Family,
    columns: tuple[str, ...],
    classes: tuple[Label, Label],
    write: Callable[[Path], None],
    longer: int = 0,
    **card: Any,
) -> Artifact:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        made = Card(family=family, texts=columns, classes=classes, **card)
        (folder / CARD).write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return current().put_folder("models", folder, {"family": family, "cut": longer})
