"""Versions of a dataset: numbered once, never changed, no new one for the same rows."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.artifacts import Store
from tasks.errors import NotFound
from tasks.sources.catalog import Dataset
from tasks.sources.fetch import fetch
from tasks.sources.frames import put_table
from tasks.sources.raw import Raw
from tasks.sources.snapshots import Snapshot, changes, history, latest, load, take
from tests.sources.projects import project


@pytest.fixture
def given(tmp_path: Path, store: Store) -> tuple[Raw, Dataset]:
    dataset, _ = project(tmp_path, {"type": "file", "path": "things.csv"})
    (tmp_path / "things.csv").write_text("id,size,kind\n1,2,a\n")
    return fetch(dataset, {}), dataset


def taken(given: tuple[Raw, Dataset], commit: str | None = None, **columns: list[object]) -> Snapshot:
    return take("things", put_table("tables", pa.table(columns)), *given, commit)


def test_the_same_rows_make_no_new_version(given: tuple[Raw, Dataset]) -> None:
    first = taken(given, "abc", a=[1, 2])
    assert taken(given, "def", a=[1, 2]) == first
    assert (first.version, first.rows, first.types, first.git_commit) == (1, 2, {"a": "int64"}, "abc")
    assert first.parents == given[0].digests and first.source["type"] == "file" and first.source["licence"] == "CC0"
    assert [taken(given, a=[1, 3]).version, taken(given, a=[1, 2]).version, taken(given, a=[1, 2]).version] == [2, 3, 3]
    assert history("things")[0] == first and load("things", 1) == first
    assert latest("other") is None and history("other") == []
    with pytest.raises(NotFound, match="data history things"):
        load("things", 9)


def test_the_history_says_which_columns_changed(given: tuple[Raw, Dataset]) -> None:
    taken(given, a=[1, 2], b=["x", "y"])
    taken(given, a=[1, 2], b=["x", "z"])
    taken(given, a=[1, 2], c=[0, 0])
    told = [(change.added, change.removed, change.changed) for change in changes(history("things"))]
    assert told == [(["a", "b"], [], []), ([], [], ["b"]), (["c"], ["b"], [])]


def test_a_lost_table_that_was_made_again_is_whole_in_the_snapshot(given: tuple[Raw, Dataset], store: Store) -> None:
    first = taken(given, a=[1, 2])
    store.place(first.table.uri).unlink()
    again = taken(given, a=[1, 2])
    assert again.version == 1 and store.whole(again.table)


def test_two_writers_number_one_version_each(given: tuple[Raw, Dataset]) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(copy_context().run, taken, given, None, a=[number]) for number in range(4)]
    assert sorted(run.result().version for run in runs) == [1, 2, 3, 4]
    assert [snapshot.version for snapshot in history("things")] == [1, 2, 3, 4]
