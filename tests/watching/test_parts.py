"""Compaction, reading, finding and expiry of the log in the store."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from tasks.artifacts import Store
from tasks.settings import ROOT
from tasks.watching import compaction
from tasks.watching.compaction import compact
from tasks.watching.finding import every, find
from tasks.watching.log import Writer, folder, line
from tasks.watching.parts import Part, expire, parts, records, rows
from tasks.watching.shipping import ship_left, shipped
from tests.watching.logged import feedback, made, prediction, write


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def ids(store: Store, chosen: list[Part], **asked: object) -> list[str]:
    return [one for batch in rows(store, chosen, **asked) for one in batch["request_id"].to_pylist()]  # type: ignore[arg-type]


def test_segments_become_a_part_once(store: Store, tmp_path: Path) -> None:
    first = made(store, tmp_path, *map(prediction, range(3)), feedback(1, label=2.5))
    assert shipped(store, "wine") == [] and compact(store, "wine") == []
    second = made(store, tmp_path, prediction(3, version="2"))
    assert parts(store, "wine") == [*first, *second]
    assert [part.id for part in parts(store, "wine")] == ["000001", "000002"]
    assert (first[0].rows, first[0].kinds) == (4, {"prediction": 3, "feedback": 1})
    assert (first[0].versions, second[0].versions) == ({"1": 3}, {"2": 1})
    assert ids(store, parts(store, "wine")) == ["id0", "id1", "id2", "id3"]
    assert ids(store, parts(store, "wine"), version="2") == ["id3"]
    assert ids(store, parts(store, "wine"), kinds=("feedback",)) == ["id1"]


def test_columns_are_typed_and_what_differs_is_json(store: Store, tmp_path: Path) -> None:
    began = time.time()
    (part,) = made(store, tmp_path, prediction(7, row=3, features={"chars": 5}, caller="a", tenant="t"))
    (batch,) = rows(store, [part])
    (row,) = batch.to_pylist()
    assert (row["row"], row["caller"], row["tenant"], row["replica"]) == (3, "a", "t", "one")
    assert [orjson.loads(row[name]) for name in ("inputs", "features")] == [{"a": 7}, {"chars": 5}]
    assert row["label"] is None and began <= row["time"].timestamp() <= time.time()
    (batch,) = rows(store, [part], columns=["output"])
    assert batch.schema.names == ["output"]


def test_lines_that_are_none_are_counted_and_kept(store: Store, tmp_path: Path) -> None:
    strange = [b"\xff\x00\n", b"[1]\n", b'{"kind":"prediction"}\n', b"\n"]
    wrong = [
        prediction(1, row="x"),
        prediction(2, rating="good"),
        prediction(3, time="noon"),
        prediction(4, time=1e300),
    ]
    text = [line(prediction(0)), *strange, *map(line, wrong), line(prediction(5)), line(prediction(6))[:-9]]
    store.create("predictions/wine/one/0.jsonl", b"".join(text))
    (part,) = compact(store, "wine")
    assert (part.rows, part.unreadable) == (2, 9)
    assert ids(store, [part]) == ["id0", "id5"]
    kept = store.read("predictions/wine/unreadable/one/0.txt")
    assert [one in kept for one in (b"\xff\x00\n", b'"row":"x"', text[-1])] == [True] * 3


def test_a_segment_of_garbage_alone_blocks_nothing(store: Store, tmp_path: Path) -> None:
    store.create("predictions/wine/one/0.jsonl", b"no\njson\n")
    (part,) = compact(store, "wine")
    assert (part.rows, part.unreadable, part.first) == (0, 2, None)
    assert made(store, tmp_path, prediction(1))[0].number == 2


def test_clock_jumps_and_duplicates_are_kept_and_counted(store: Store, tmp_path: Path) -> None:
    lines = [prediction(1, time=100.0), prediction(2, time=50.0), prediction(1, time=101.0), feedback(1, time=102.0)]
    store.create("predictions/wine/one/0.jsonl", b"".join(map(line, lines)))
    (part,) = compact(store, "wine")
    assert (part.rows, part.duplicates, part.backwards, part.first, part.last) == (4, 1, 1, 50.0, 102.0)


def test_a_segment_that_a_part_holds_is_removed_wherever_it_comes_from(store: Store, tmp_path: Path) -> None:
    (part,) = made(store, tmp_path, prediction(1))
    store.create(part.segments[0], line(prediction(1)))  # its removal was killed, or it was shipped twice
    assert compact(store, "wine") == [] and shipped(store, "wine") == []
    assert ids(store, parts(store, "wine")) == ["id1"]


def test_of_two_compactions_at_once_one_counts(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one has finished between the look at the segments and the record."""
    write(tmp_path, prediction(1))
    ship_left(store, tmp_path, "wine")
    written = compaction._written

    def overtaken(*given: object) -> Part:
        part = written(*given)  # type: ignore[arg-type]
        monkeypatch.setattr(compaction, "_written", written)
        compact(Store(store.root), "wine")
        return part

    monkeypatch.setattr(compaction, "_written", overtaken)
    assert compact(store, "wine") == []
    assert ids(store, parts(store, "wine")) == ["id1"]


def test_parts_have_a_bound(store: Store, tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path, prediction(number), prediction(number + 100))
    ship_left(store, tmp_path, "wine")
    found = compact(store, "wine", most_rows=3)
    assert [part.rows for part in found] == [4, 4, 2]
    assert sorted(ids(store, found)) == sorted(f"id{one}" for part in range(5) for one in (part, part + 100))


def test_a_request_is_found_wherever_it_is(store: Store, tmp_path: Path) -> None:
    made(store, tmp_path, prediction(1, row=2, inputs={"a": "é"}), prediction(2))
    write(tmp_path, feedback(1, label="good", comment="yes"))
    ship_left(store, tmp_path, "wine")
    open_one = Writer(folder(tmp_path, "wine"), "two")
    open_one.write([prediction(1, kind="shadow", version="9"), prediction(11)])
    write(tmp_path, feedback(1, rating=3))
    found = find(store, tmp_path, "wine", "id1")
    assert [(one.kind, one.version) for one in found][:2] == [("prediction", "1"), ("feedback", "1")]
    assert {(one.kind, one.rating) for one in found[2:]} == {("shadow", None), ("feedback", 3)}
    assert (found[0].row, found[0].inputs, found[1].label, found[1].comment) == (2, {"a": "é"}, "good", "yes")
    assert find(store, tmp_path, "wine", "id") == []


def test_old_parts_go_and_their_numbers_do_not_come_back(store: Store, tmp_path: Path) -> None:
    made(store, tmp_path, prediction(1))
    made(store, tmp_path, prediction(2))
    now = time.time()
    assert expire(store, "wine", 90, now + 89 * 86400) == 0
    assert expire(store, "wine", 90, now + 91 * 86400) == 2
    assert parts(store, "wine") == [] and find(store, tmp_path, "wine", "id1") == []
    assert [name for name in store.list("predictions") if name.endswith(".parquet")] == []
    (part,) = made(store, tmp_path, prediction(3))
    assert part.number == 3
    assert expire(store, "wine", 90, now + 89 * 86400) == 0  # the record without rows is not counted again


def test_what_a_killed_compaction_left_is_swept(store: Store, tmp_path: Path) -> None:
    (part,) = made(store, tmp_path, prediction(1))
    left = store.put_bytes("predictions/wine/parts/000001", b"half", ".parquet")
    later = store.put_bytes("predictions/wine/parts/000002", b"still being written", ".parquet")
    assert expire(store, "wine", 90, time.time()) == 0
    assert part.rows_in is not None
    assert {name for name in store.list("predictions") if name.endswith(".parquet")} == {part.rows_in.uri, later.uri}
    assert left.uri not in store.list("predictions")


def test_another_machine_reads_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.artifacts import store_at

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "here"))
    part = made(store_at("memory://log-parts"), tmp_path, *map(prediction, range(3)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "there"))
    there = store_at("memory://log-parts")
    assert parts(there, "wine") == part and ids(there, part) == ["id0", "id1", "id2"]


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    """Writing, shipping and compacting, each killed again and again: every acknowledged line is in one part."""
    store, dice, told = Store(tmp_path / "store"), random.Random(0), set[str]()
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    for turn in range(8):
        command = [sys.executable, ROOT / "tests/watching/hurried.py", tmp_path, f"turn{turn}"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=env)
        assert child.stdout is not None
        with child.stdout:
            child.stdout.readline()
            time.sleep(dice.uniform(0.05, 1.2))
            os.kill(child.pid, signal.SIGKILL)
            told |= {one.decode().strip() for one in child.stdout.readlines() if one.endswith(b"\n")}
        child.wait()
    ship_left(store, tmp_path, "wine")
    compact(store, "wine")
    found = ids(store, parts(store, "wine"))
    assert len(found) == len(set(found)) and told <= set(found)
    assert len(found) <= len(told) + 8 and len(records(store, "wine")) > 1


@pytest.mark.slow
def test_five_million_rows_in_bounded_memory(tmp_path: Path) -> None:
    code = ROOT / "tests/watching/five_million.py"
    done = subprocess.run(
        [sys.executable, code, tmp_path], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert told["rows"] == told["joined"] == 5_000_000 and told["labelled"] == 50_000
    assert told["counted"] == told["ids"] == 5_000_000
    assert told["forgotten"] == 1 and told["left"] == 5_050_000 - 1
    assert told["peak_mib"] < 1500


def test_every_record_is_read_wherever_it_lies(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    made(store, tmp_path, prediction(1), feedback(1, label=3))
    write(tmp_path, prediction(2))
    ship_left(store, tmp_path, "wine")
    write(tmp_path, prediction(3))
    found = [(one.kind, one.request_id) for one in every(store, tmp_path, "wine")]
    assert found == [("prediction", "id1"), ("feedback", "id1"), ("prediction", "id2"), ("prediction", "id3")]
