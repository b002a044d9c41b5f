"""What champions are compared with: texts that a classifier has not seen; the first window where there are no rows."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks import artifacts
from tasks.artifacts import Artifact, Store, current
from tasks.creative.fitting import fit_tfidf
from tasks.creative.release_folder import Made, assemble
from tasks.creative.scoring import score
from tasks.creative.served import Served
from tasks.settings import ROOT
from tasks.sources.contracts import load_contract
from tasks.sources.frames import read_table
from tasks.sources.products import products
from tasks.tables.evaluation import evaluate
from tasks.watching.counting import Counted, counted
from tasks.watching.drift import verdict
from tasks.watching.frames import SAID, TRAITS, shape_of
from tasks.watching.looking import Look, compared, look
from tasks.watching.meaning import EMBEDDING, MOST, embedded
from tasks.watching.references import keep_answers, of_answers, of_texts
from tests.creative.room import RECIPE, room, table
from tests.retrieval import tiny
from tests.watching.logged import made, prediction
from tests.watching.test_frames import DOCUMENTS

FIELDS = ("title", "category", "description", "price")
UNSEEN = 597  # of 1500 rows: the parts that test and validate


def shop(rows: int) -> tuple[Artifact, Artifact]:
    """The release folder of a classifier of so many products, and its scores."""
    found = room(table(rows))
    texts, split = found.texts.artifact, found.split.artifact
    model = fit_tfidf(texts, split, found.subject, RECIPE.texts, "auc")
    scores = score(model, texts, split)
    told = Made(
        release="shop",
        key="0" * 64,
        model=model,
        texts=texts,
        split=split,
        contract=load_contract("products", [ROOT / "data"]),
        subject=found.subject,
        inputs={"table": texts.model_dump(), "split": split.model_dump()},
    )
    return assemble(told, evaluate(scores, texts, found.subject)), scores


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shops")


@pytest.fixture(scope="module")
def large(root: Path) -> tuple[Artifact, Artifact]:
    with artifacts.opened(root):
        return shop(1500)


def answers(folder: Artifact, root: Path, count: int, seed: int, text: bool = False, **other: str) -> Look:
    """A window of what the service would log of new products."""
    store = current()
    served = Served.load(store.path(folder), store.path)
    rows = [{name: one.record()[name] for name in FIELDS} | other for one in products(count, seed)]
    lines = [
        prediction(number, inputs=row if text else None, output=said, features=served.traits(row, "cut" in said))
        for number, (row, said) in enumerate(zip(rows, served.predict(rows), strict=True))
    ]
    shape = shape_of(json.loads((store.path(folder) / "release.json").read_bytes()))
    return look(store, shape, made(store, root, *lines), 1)


def test_new_products_are_like_the_unseen_ones(root: Path, large: tuple[Artifact, Artifact], tmp_path: Path) -> None:
    with artifacts.opened(root):
        reference = of_texts(*large)
        assert reference.frame.meta["rows"] == UNSEEN and reference.shape.prediction == "float"
        assert {*reference.shape.columns} == {"price", *TRAITS, *SAID}
        calm = compared(reference, answers(large[0], tmp_path, 600, 77))
        assert calm.enough and not calm.exceeds and calm.new == calm.missing == ()
        odd = compared(reference, answers(large[0], tmp_path, 600, 78, title="Zyzzyva quux frobnicator"))
        assert "unknown_words" in odd.drifted and "price" not in odd.drifted


def test_few_rows_are_compared_whole_without_what_was_learned(store: Store, tmp_path: Path) -> None:
    folder, scores = shop(700)
    reference = of_texts(folder, scores)
    assert reference.frame.meta["rows"] == 700
    assert reference.shape.prediction is None and "unknown_words" not in reference.shape.columns
    assert not compared(reference, answers(folder, tmp_path, 600, 77)).drifted
    assert reference.scored is not None and reference.scored.meta["rows"] < 300


def test_what_texts_mean_is_compared_where_both_sides_have_it(
    root: Path, large: tuple[Artifact, Artifact], tiny_folder: Path, tmp_path: Path
) -> None:
    with artifacts.opened(root):
        weights = tiny.put_weights(tiny_folder)
        reference = of_texts(*large, weights)
        vectors = vectors_of(read_table(reference.frame))
        assert vectors.shape == (UNSEEN, tiny.DIM) and not np.isnan(vectors).any()
        silent = answers(large[0], tmp_path, 600, 77)
        assert silent.told == 0 and compared(reference, silent).vectors == ()
        loud = answers(large[0], tmp_path, 600, 78, text=True)
        (found,) = compared(reference, loud.meaning(weights)).vectors
        assert loud.told == 600 and not found.exceeds
        assert compared(of_texts(*large), loud.meaning(weights)).vectors == ()


def test_some_texts_are_embedded_the_same_ones_each_time(store: Store, tiny_folder: Path) -> None:
    texts = [None if place % 3 == 0 else f"word {place}" for place in range(2 * MOST)]
    frame = pa.table({"a": range(len(texts))})
    weights = tiny.put_weights(tiny_folder)
    first, again = (vectors_of(embedded(frame, texts, weights)) for _ in range(2))
    there = ~np.isnan(first).any(axis=1)
    assert np.array_equal(first, again, equal_nan=True) and there.sum() == MOST and not there[::3].any()
    assert np.linalg.norm(first[there], axis=1) == pytest.approx(1, abs=1e-5)


def vectors_of(frame: pa.Table) -> np.ndarray:
    column = frame[EMBEDDING].combine_chunks()
    return np.asarray(column.flatten()).reshape(len(column), -1)


def test_the_first_window_is_the_reference_and_stays_it(store: Store) -> None:
    frame = DOCUMENTS.schema.empty_table()
    rows = pa.table(
        {EMBEDDING: pa.FixedSizeListArray.from_arrays(np.array([1, 0, np.nan, np.nan]), 2), "turns": [1.0, 2.0]}
    )
    assert of_answers(store, "library", 3) is None
    kept = keep_answers(store, "library", 3, DOCUMENTS, rows)
    assert read_table(kept.frame)["turns"].to_pylist() == [1.0, 2.0]
    assert np.array_equal(vectors_of(read_table(kept.frame)), vectors_of(rows), equal_nan=True)
    assert keep_answers(store, "library", 3, DOCUMENTS, frame) == kept == of_answers(store, "library", 3)


QUESTIONS = ("How do I repair the {}?", "When is a {} worth its price?", "Which {} do you advise me to take?")
LIBRARY = ["book", "poem", "novel", "atlas", "magazine", "catalogue", "bookshelf", "dictionary"]
KITCHEN = ["dish", "oven", "spoon", "knife", "saucepan", "teaspoons", "corkscrew", "dishwasher"]  # as long


def asked_about(things: list[str], seed: int) -> list[str | None]:
    draw = np.random.default_rng(seed)
    return [f"{number} {draw.choice(QUESTIONS).format(draw.choice(things))}" for number in draw.integers(1, 99, 500)]


def test_another_topic_of_the_same_length_is_seen(minilm_weights: Artifact, minilm_root: Path) -> None:
    with artifacts.opened(minilm_root):
        books, again, kettles = (
            said(asked_about(things, seed), minilm_weights)
            for things, seed in ((LIBRARY, 1), (LIBRARY, 2), (LIBRARY[::2] + KITCHEN[1::2], 3))
        )
    assert not verdict(books, again).exceeds
    found = verdict(books, kettles)
    assert found.exceeds and found.drifted == () and found.reasons[0].startswith("embedding tells the sides apart")


def said(texts: list[str | None], weights: Artifact) -> Counted:
    chars = [float(len(text or "")) for text in texts]
    return counted(embedded(pa.table({"chars": chars}), texts, weights))
