"""Lines out of the log: those that tell, those of the same rows, and no others; whatever is killed meanwhile."""

from pathlib import Path

import pytest

from tasks.artifacts import Store
from tasks.watching import forgetting
from tasks.watching.finding import find
from tasks.watching.forgetting import left, remove
from tasks.watching.log import Writer, folder, line
from tasks.watching.parts import Part, parts
from tasks.watching.shipping import place
from tests.watching.logged import feedback, made, prediction


def told(data: bytes) -> bool:
    return b'"anna"' in data


def forget(store: Store) -> int:
    return remove(store, "wine", forgetting.find(store, "wine", told), told)


@pytest.fixture
def log(store: Store, tmp_path: Path) -> Store:
    """Anna's rows are row 1 of request 1, and request 2; the labels are in a part of their own."""
    anna = {"inputs": {"name": "anna"}}
    made(store, tmp_path, *(prediction(1, row=row) for row in (0, 2)), prediction(1, row=1, **anna))
    made(store, tmp_path, prediction(2, **anna), prediction(2, kind="shadow", inputs=None), prediction(3))
    made(store, tmp_path, feedback(1, row=1, label=1), feedback(2, label=0), feedback(3, label=1), prediction(4))
    return store


def ids(store: Store, root: Path) -> list[tuple[str, str, int]]:
    found = [one for number in range(1, 5) for one in find(store, root, "wine", f"id{number}")]
    return sorted((one.request_id, one.kind, one.row) for one in found)


KEPT = [("id1", "prediction", 0), ("id1", "prediction", 2), ("id3", "feedback", 0)]
KEPT += [("id3", "prediction", 0), ("id4", "prediction", 0)]


def test_all_lines_of_the_rows_go_and_the_others_stay_where_they_are(log: Store, tmp_path: Path) -> None:
    before = parts(log, "wine")
    assert forget(log) == 5
    after = parts(log, "wine")
    assert ids(log, tmp_path) == KEPT
    assert [(part.number, part.segments) for part in after] == [(part.number, part.segments) for part in before]
    assert [(part.rows, part.forgotten, part.versions) for part in after] == [
        (2, 1, {"1": 2}),
        (1, 2, {"1": 1}),
        (2, 2, {"1": 1}),
    ]
    files = [name for name in log.list(place("wine")) if name.endswith(".parquet")]
    assert files == sorted(part.rows_in.uri for part in after if part.rows_in)
    assert [*left(log, tmp_path, "wine", told)] == [] and forget(log) == 0
    assert parts(log, "wine") == after


def test_a_part_without_such_rows_is_not_written_again(log: Store, tmp_path: Path) -> None:
    (untouched,) = made(log, tmp_path, prediction(9))
    forget(log)
    assert parts(log, "wine")[-1] == untouched


@pytest.mark.parametrize("steps", range(5))
def test_whatever_is_killed_the_next_run_ends_the_same(
    log: Store, tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, done = forgetting.rewritten, 0

    def killed(store: Store, part: Part, *given: object) -> int:
        nonlocal done
        done += 1
        if done > steps:
            raise KeyboardInterrupt
        return whole(store, part, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(forgetting, "rewritten", killed)
    with pytest.raises(KeyboardInterrupt):
        forget(log)
    monkeypatch.undo()
    forget(log)
    assert ids(log, tmp_path) == KEPT and [part.forgotten for part in parts(log, "wine")] == [1, 2, 2]


def test_a_kill_between_record_and_removal_leaves_nothing(
    log: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Store, "remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        forget(log)
    forget(log)
    names = [name for name in log.list(place("wine")) if name.endswith(".parquet")]
    assert len(names) == 3 and ids(log, tmp_path) == KEPT


def test_lines_that_cannot_be_read_and_segments_that_are_open(log: Store, tmp_path: Path) -> None:
    log.create("predictions/wine/unreadable/two/1.txt", b'{"inputs":{"name":"anna"\n{"inputs":{"name":"bob"\n')
    log.create("predictions/wine/two/1.jsonl", line(prediction(7)))
    made(log, tmp_path)  # the part of that segment
    Writer(folder(tmp_path, "wine"), "three").write([prediction(8, inputs={"name": "anna"})])
    places = dict(left(log, tmp_path, "wine", told))
    assert sorted(places.values()) == [1, 1, 2]
    forget(log)
    ((where, number),) = left(log, tmp_path, "wine", told)
    assert "which a service writes" in where and number == 1
    assert log.read("predictions/wine/unreadable/two/1.txt") == b'{"inputs":{"name":"bob"\n'
