"""Rows that a version was trained on are known again after edits, and new rows are not taken for them."""

from typing import Any

import numpy as np
import pytest

from tasks.tables.arrays import columns_of
from tasks.tables.identity import Match, match
from tests.tables.conftest import houses

Columns = dict[str, Any]


def made(rows: int = 2000, seed: int = 0, without: tuple[str, ...] = ("id", "month")) -> Columns:
    table = houses(rows, "binary", seed=seed).drop_columns(list(without))
    return columns_of(table, table.column_names)


def joined(one: Columns, other: Columns) -> Columns:
    return {name: np.concatenate([one[name], other[name]]) for name in one}


def shuffled(table: Columns, seed: int = 1) -> tuple[Columns, Any]:
    order = np.random.default_rng(seed).permutation(len(table["target"]))
    return {name: values[order] for name, values in table.items()}, order


def trained_part(rows: int) -> Any:
    return np.random.default_rng(2).random(rows) < 0.8


def known(found: Match) -> Any:
    return np.any(list(found.known.values()), axis=0)


def recoded(values: Any) -> Any:
    codes = {value: f"code {place}" for place, value in enumerate(sorted(set(map(str, values.tolist()))))}
    return np.array([codes[str(value)] for value in values.tolist()], dtype=object)


EDITS: dict[str, Any] = {
    "one column rounded": lambda t: {"size": np.round(t["size"], -1)},
    "empty cells filled": lambda t: {"size": np.where(np.isnan(t["size"]), 80.0, t["size"])},
    "two columns recoded": lambda t: {"town": recoded(t["town"]), "new": recoded(t["new"])},
    "a column in another unit and one recoded": lambda t: {"size": t["size"] * 10.764, "town": recoded(t["town"])},
    "labels swapped": lambda t: {"target": ~t["target"]},
    "two columns exchanged": lambda t: {"rooms": t["new"].astype(float), "new": t["rooms"].astype(float)},
    "all days moved": lambda t: {"built": t["built"] + np.timedelta64(40_000, "D")},
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_rows_are_known_again(edit: str) -> None:
    """Each in another place than it was, with as many new rows among them."""
    old, fresh = made(), made(seed=7)
    trained = trained_part(2000)
    newer, order = shuffled(joined(old | EDITS[edit](old), fresh | EDITS[edit](fresh)))
    found = known(match(newer, old, trained))
    truth = np.concatenate([trained, np.zeros(2000, dtype=bool)])[order]
    assert found[truth].mean() > 0.97
    assert found[~truth].mean() < 0.1


def test_rows_edited_each_in_another_column_are_known_again() -> None:
    old = made()
    newer = {name: values.copy() for name, values in old.items()}
    newer["size"][:1000] += 1000
    newer["rooms"][1000:] += 50
    newer["town"][1500:] = "Hove"
    trained = np.ones(2000, dtype=bool)
    assert known(match(newer, old, trained)).mean() > 0.97


def test_appended_rows_are_new_and_the_old_ones_known_by_content() -> None:
    old, trained = made(), trained_part(2000)
    found = match(joined(old, made(seed=7)), old, trained)
    assert list(found.known) == ["exact content"] and found.doubtful is None
    assert (known(found)[:2000] == trained).all() and not known(found)[2000:].any()


@pytest.mark.parametrize("without", [("id", "month"), ("month",), ()])
def test_wholly_new_rows_are_new(without: tuple[str, ...]) -> None:
    """Also where the numbers of the rows start anew with each file, which then name no row."""
    found = match(made(seed=7, without=without), made(without=without), trained_part(2000))
    assert known(found).mean() < 0.02 and found.doubtful is None


def test_duplicates_of_a_trained_row_are_known_with_it() -> None:
    old = made(400)
    trained = np.arange(400) < 300
    twice = joined(old, old)
    assert (known(match(twice, old, trained)) == np.tile(trained, 2)).all()
    edited = twice | {"size": np.round(twice["size"], -1)}
    assert (known(match(edited, twice, np.tile(trained, 2))) == np.tile(trained, 2)).mean() > 0.99


def test_rows_with_an_identifier_are_known_by_it_whatever_was_edited() -> None:
    old, trained = made(without=("month",)), trained_part(2000)
    edits = {"size": np.round(old["size"], -2), "town": recoded(old["town"]), "target": ~old["target"]}
    newer, order = shuffled(old | edits)
    found = match(newer, old, trained)
    assert (known(found) == trained[order]).all()
    assert found.known["identifier id"].any()


def test_few_values_name_no_row() -> None:
    """A table of few values: the lost rows are not found in the new ones that resemble them."""
    few = ("id", "month", "size", "built")
    old, newer = made(3000, without=few), made(3000, seed=7, without=few)
    newer["rooms"] = newer["rooms"] + np.where(np.arange(3000) < 500, 10, 0)
    assert known(match(newer, old, trained_part(3000)))[:500].sum() == 0


def test_where_the_only_telling_column_was_edited_it_cannot_be_told() -> None:
    few = ("id", "month", "built")
    old, trained = made(3000, without=few), trained_part(3000)
    edited, _ = shuffled(old | {"size": np.round(old["size"] * 1.1, 3)})
    found = match(edited, old, trained)
    assert found.doubtful is not None and "without the column size" in found.doubtful
    assert match(made(3000, seed=7, without=few), old, trained).doubtful is None
