"""Made-up products: the same for the same seed, with the faults, the worth and the noise that are stated."""

import statistics
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tasks.artifacts import Store
from tasks.sources import products as made
from tasks.sources.catalog import load_dataset
from tasks.sources.contracts import load_contract
from tasks.sources.fetch import fetch
from tasks.sources.frames import read_table
from tasks.sources.products import NOISE, PLANTED, Product, chance, products
from tasks.sources.reading import pieces, read

BOX = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def many() -> list[Product]:
    return [*products(4000)]


def test_a_longer_list_starts_with_the_shorter_one_of_its_seed(many: list[Product]) -> None:
    assert [*products(60)] == many[:60]
    assert [one.title for one in products(60, 1)] != [one.title for one in many[:60]]
    assert len({one.id for one in many}) == len(many)
    assert {one.category for one in many} == {*made.THINGS} and len(made.THINGS) == 8
    assert all(10 <= one.price <= 500 and 2 <= one.rating <= 5 for one in many)


def test_the_stated_ceiling_is_that_of_whoever_knows_the_worth(many: list[Product]) -> None:
    good = np.array([one.rating >= 3.5 for one in many])
    known = np.array([chance(one.worth, 3.5) for one in many])
    assert roc_auc_score(good, known) == pytest.approx(0.97, abs=0.01)
    assert np.mean((known > 0.5) == good) == pytest.approx(0.90, abs=0.015)
    assert 0.35 < good.mean() < 0.65
    inside = [one for one in many if 2.9 < one.worth < 4.1]  # where no rating is cut at 2 or 5
    assert statistics.stdev(one.rating - one.worth for one in inside) == pytest.approx(NOISE, abs=0.03)


def test_counting_words_finds_some_of_it_and_not_all(many: list[Product]) -> None:
    texts = [f"{one.title} {one.description}" for one in many]
    good = np.array([one.rating >= 3.5 for one in many])
    rows = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts)
    model = LogisticRegression().fit(rows[:3000], good[:3000])
    assert 0.75 < roc_auc_score(good[3000:], model.predict_proba(rows[3000:])[:, 1]) < 0.9


def test_the_planted_faults_are_there_and_the_rest_fits_the_contract(store: Store) -> None:
    dataset = load_dataset("products", [BOX])
    contract = load_contract(dataset.contract, [BOX])
    table = read_table(read(pieces(fetch(dataset, {}), dataset, contract), contract))
    assert table.num_rows == 2000
    faults = [
        pc.is_null(table["description"]),
        pc.greater(table["rating"], 5),
        pc.less(table["price"], 0),
        pc.equal(table["category"], "kitchn"),
        pc.invert(pc.match_substring_regex(pc.fill_null(table["title"], ""), r"\w")),
    ]
    assert [pc.sum(mask).as_py() for mask in faults] == [round(PLANTED * 2000) // len(faults)] * len(faults)
