"""Texts and labels of a checked table: what is kept, and what is refused with a sentence."""

import pyarrow as pa
import pytest

from tasks.artifacts import Store
from tasks.creative.fitting import material
from tasks.creative.labelled import label
from tasks.creative.specs import GOOD, SAME, TEXT, Reading
from tasks.errors import BadInput
from tasks.sources.frames import put_table, read_table
from tasks.tables.arrays import parts_of
from tests.creative.room import RECIPE, room, table


def texts(rows: pa.Table, **reading: object) -> pa.Table:
    spec = Reading.model_validate({"texts": ["text"], "label": "kind"} | reading)
    return read_table(label(put_table("checked", rows), spec).artifact)


def test_a_rating_is_good_from_its_threshold_on(store: Store) -> None:
    found = texts(pa.table({"text": ["a b", "c d", "e f"], "stars": [3.4, 3.5, 5.0]}), label=None, rating="stars")
    assert found[GOOD].to_pylist() == [False, True, True]
    assert texts(
        pa.table({"text": ["a b", "c"], "stars": [4, 5]}), label=None, rating="stars", threshold=4.5
    )[GOOD].to_pylist() == [False, True]  # fmt: skip


@pytest.mark.parametrize(("stars", "told"), [([20, 100], "from 20 to 100, so all texts are good"), ([1, 2], "are bad")])
def test_a_threshold_that_divides_nothing_is_told(store: Store, stars: list[int], told: str) -> None:
    with pytest.raises(BadInput, match=f"{told}.* with a threshold of 3.5; set `threshold`"):
        texts(pa.table({"text": ["a b", "c d"], "stars": stars}), label=None, rating="stars")


def test_a_positive_label_that_is_none_is_told(store: Store) -> None:
    rows = table(300).append_column("kind", pa.array(["ham", "spam"] * 150))
    made = room(rows, RECIPE.model_copy(update={"rating": None, "label": "kind", "positive": "spam"}))
    wrong = made.subject.model_copy(update={"positive": "Spam"})
    with pytest.raises(BadInput, match="`positive` is 'Spam', and 'kind' holds 'ham', 'spam'"):
        material(made.texts.artifact, made.split.artifact, wrong)


def test_rows_without_a_word_are_left_out_and_long_ones_cut(store: Store) -> None:
    rows = pa.table({"text": ["ok", "  ", "?!", "---", None, "word " * 5000], "kind": [*"ababab"]})
    found = label(put_table("checked", rows), Reading(texts=("text",), label="kind"))
    assert (found.rows, found.empty, found.cut) == (2, 4, 1)
    kept = read_table(found.artifact)
    assert kept["kind"].to_pylist() == ["a", "b"] and kept[SAME].to_pylist()[0] == "ok"
    assert kept[TEXT].to_pylist()[0] == "ok."


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"text": ["a"], "sort": ["x"]}, "names kind, which the data does not have"),
        ({"text": ["a", "b"], "kind": ["x", None]}, "1 rows have no 'kind'.*quarantine"),
        ({"text": ["...", ""], "kind": ["x", "y"]}, "No row has a word in text"),
        ({"text": ["a"], "kind": ["x"], "_text": ["b"]}, "called _text, as one of ours is"),
    ],
)
def test_what_cannot_be_learned_is_told(store: Store, rows: dict[str, list[str]], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        texts(pa.table(rows))
    with pytest.raises(BadInput, match="is no number but string"):
        texts(pa.table({"text": ["a"], "stars": ["good"]}), label=None, rating="stars")


def test_equal_texts_go_into_one_part_whatever_their_case(store: Store) -> None:
    rows = table(200)
    loud = rows.set_column(3, "description", pa.array([one.upper() for one in rows["description"].to_pylist()]))
    made = room(pa.concat_tables([rows, loud]))
    parts = parts_of(made.split.artifact).tolist()
    assert parts[:200] == parts[200:] and set(parts) == {"train", "valid", "test"}


def test_labels_of_one_class_or_of_three_are_refused(store: Store) -> None:
    for kinds in (["x"] * 300, ["x", "y", "z"] * 100):
        rows = table(300).append_column("kind", pa.array(kinds))
        recipe = RECIPE.model_copy(update={"rating": None, "label": "kind"})
        with pytest.raises(BadInput, match=r"has [13] values .*, and two are told apart"):
            room(rows, recipe)
