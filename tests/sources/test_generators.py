"""The generated applications: the same for the same seed, with the faults, the shift and the noise that are stated."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn.metrics import roc_auc_score

from tasks.artifacts import Store
from tasks.sources.catalog import load_dataset
from tasks.sources.contracts import load_contract
from tasks.sources.fetch import fetch
from tasks.sources.frames import read_table, table_digest
from tasks.sources.generators import (
    PLANTED,
    QUARTERS,
    Applications,
    credit_applications,
    credit_risk,
    draw_applications,
)
from tasks.sources.reading import pieces, read

BOX = Path(__file__).parents[2] / "data"
ROWS = 20_000


@pytest.fixture(scope="module")
def truth() -> Applications:
    return draw_applications(ROWS, np.random.default_rng(0))


def test_the_same_seed_and_rows_give_the_same_bytes(store: Store) -> None:
    dataset = load_dataset("credit-applications", [BOX])
    assert fetch(dataset, {}) == fetch(dataset, {})
    digests = {
        table_digest(credit_applications(rows, seed))[0] for rows, seed in ((500, 0), (500, 0), (500, 1), (501, 0))
    }
    assert len(digests) == 3


def test_the_planted_faults_are_there_and_the_rest_fits_the_contract(store: Store) -> None:
    dataset = load_dataset("credit-applications", [BOX])
    contract = load_contract(dataset.contract, [BOX])
    table = read_table(read(pieces(fetch(dataset, {}), dataset, contract), contract))
    assert table.num_rows == ROWS and table["application_id"][6].as_py() == "0000007"
    assert str(table.schema.field("loan_amount").type) == "string"  # "ten thousand" is kept
    faults = {
        "income": pc.less(table["income"], 0),
        "age": pc.equal(table["age"], 430),
        "region": pc.equal(table["region"], "atlantis"),
        "defaulted": pc.is_null(table["defaulted"]),
        "loan_amount": pc.equal(table["loan_amount"], "ten thousand"),
        "utilisation": pc.greater(table["utilisation"], 1),
        "employment": pc.is_null(table["employment"]),
    }
    counts = [pc.sum(mask).as_py() for mask in faults.values()]
    assert sum(counts) == round(PLANTED * ROWS) and max(counts) - min(counts) <= 1
    for name in ("income", "employment_years", "utilisation"):
        assert 0 < table[name].null_count / ROWS < (contract.columns[name].null_share or 0)


def test_the_noise_is_known(truth: Applications) -> None:
    risk = credit_risk(truth)
    defaulted = np.random.default_rng(1).random(ROWS) < risk
    assert 0.12 < defaulted.mean() < 0.20
    assert abs(defaulted.mean() - risk.mean()) < 0.01
    assert 0.77 < roc_auc_score(defaulted, risk) < 0.81  # no model can do better


def test_the_last_quarter_is_shifted_and_the_others_are_alike(truth: Applications) -> None:
    quarters = [truth.quarter == number for number in range(len(QUARTERS))]
    for values, change in ((truth.income, -0.10), (truth.amount, 0.03), (truth.utilisation, 0.25)):
        means = [values[mask].mean() for mask in quarters]
        before = np.mean(means[:-1])
        assert max(abs(mean / before - 1) for mean in means[:-1]) < 0.06
        assert (means[-1] / before - 1) / change > 1
    shares = [(truth.purpose[mask] == "consolidation").mean() for mask in quarters]
    assert shares[-1] > 1.6 * max(shares[:-1])


def test_the_rule_of_the_last_quarter_is_another_one(truth: Applications) -> None:
    late = truth.quarter == len(QUARTERS) - 1
    as_before = Applications(**vars(truth) | {"quarter": np.zeros_like(truth.quarter)})
    gap = credit_risk(truth) - credit_risk(as_before)
    assert (gap[~late] == 0).all()
    assert gap[late & (truth.home == "mortgage")].mean() > 0.05
    assert gap[late & (truth.age < 25) & (truth.home != "mortgage") & (truth.term > 24)].max() < 0
