"""Label files: logged once, checked against the target, reported where nobody was answered."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.watching import labels
from tasks.watching.compaction import compact
from tasks.watching.labels import Given, give
from tasks.watching.parts import parts, rows
from tasks.watching.targets import Target
from tests.watching.logged import made, prediction, write
from tests.watching.test_truth import labelled

CLASSES = Target(("bad", "good"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def given(store: Store, root: Path, text: str, target: Target | None = CLASSES) -> Given:
    file = root / "labels.csv"
    file.write_text(text)
    return give(store, root, "wine", file, target)


def feedback(store: Store) -> list[str]:
    compact(store, "wine")
    found = rows(store, parts(store, "wine"), kinds=("feedback",))
    return [one for batch in found for one in batch["request_id"].to_pylist()]


def test_labels_join_and_the_same_file_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    made(store, tmp_path, prediction(0), prediction(1, row=2, tenant="t"))
    text = "request_id,label,row,tenant\nid0,good,,\nid1,bad,2,t\n"
    assert given(store, tmp_path, text).model_dump(exclude_defaults=True) == {
        "release": "wine", "rows": 2, "known": 0, "wrong": 0, "wrong_examples": [], "unknown": 0, "unknown_examples": []
    }  # fmt: skip
    assert given(store, tmp_path, text).known == 2
    assert feedback(store) == ["id0", "id1"]
    assert given(store, tmp_path, text).known == 2
    assert feedback(store) == ["id0", "id1"]
    assert labelled(store) == [("id0", "good"), ("id1", "bad")]


def test_wrong_labels_are_left_out_and_told(store: Store, tmp_path: Path) -> None:
    made(store, tmp_path, prediction(0))
    told = given(store, tmp_path, "request_id,label,row\nid0,fine,0\nid0,,0\nid 0,good,0\nid0,good,x\nid0,good,0\n")
    assert (told.rows, told.wrong, told.unknown) == (5, 4, 0)
    words = ["'fine' does not fit; this release takes one of 'bad', 'good'", "empty", "'id 0'", "'x' is no row"]
    assert [word in one for word, one in zip(words, told.wrong_examples, strict=True)] == [True] * 4
    assert told.wrong_examples[0].startswith("row 1: ") and feedback(store) == ["id0"]


def test_unknown_ids_are_kept_told_and_join_later(store: Store, tmp_path: Path) -> None:
    write(tmp_path, prediction(1))  # closed, and still on this machine
    told = given(store, tmp_path, "request_id,label\nid1,good\nid7,bad\n")
    assert (told.unknown, told.unknown_examples) == (1, ["id7"])
    made(store, tmp_path, prediction(7))
    assert sorted(labelled(store)) == [("id1", "good"), ("id7", "bad")]


def test_a_killed_call_is_finished_by_the_next(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "SEGMENT_ROWS", 2)
    text = "request_id,label\n" + "".join(f"id{number},good\n" for number in range(5))
    given(store, tmp_path, text)
    for name in store.list("predictions")[1:]:
        store.remove(name)
    assert feedback(store) == ["id0", "id1"]
    assert given(store, tmp_path, text).known == 2
    assert sorted(feedback(store)) == [f"id{number}" for number in range(5)]


def test_parquet_numbers_and_free_labels(store: Store, tmp_path: Path) -> None:
    made(store, tmp_path, prediction(0))
    file = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"request_id": ["id0", "id0"], "row": [0, 1], "label": [2.5, None]}), file)
    assert give(store, tmp_path, "wine", file, Target(None)).wrong == 1
    assert feedback(store) == ["id0"] and labelled(store) == [("id0", 2.5)]
    told = given(store, tmp_path, "request_id,label\nid0,whatever\n", None)
    assert told.wrong == 0
    with pytest.raises(BadInput, match="label"):
        given(store, tmp_path, "request_id,truth\nid0,good\n")
