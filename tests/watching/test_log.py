"""The prediction log of a process: rotation, what a kill leaves, shipping."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.artifacts import Store
from tasks.watching.log import Record, Writer, folder, read, read_all, segments, shelve
from tasks.watching.shipping import ship, ship_left, shipped


def record(number: int) -> Record:
    return Record("prediction", f"id{number}", "wine", "1", "/predict", inputs={"a": number}, output={"b": 1.5})


def test_rotation_keeps_order_and_every_record(tmp_path: Path) -> None:
    where = folder(tmp_path, "wine")
    writer = Writer(where, "one", segment_bytes=1000)
    for number in range(30):
        writer.write([record(number)])
    found = segments(where)
    assert len(found) > 5
    assert [path.suffix for path in found] == [".jsonl"] * (len(found) - 1) + [".open"]
    assert [one.request_id for one in read_all(where)] == [f"id{number}" for number in range(30)]
    assert segments(where, closed_only=True) == found[:-1]
    writer.close()
    assert segments(where) == segments(where, closed_only=True)


def test_a_segment_is_closed_by_age_with_the_next_line_or_without_one(tmp_path: Path) -> None:
    writer = Writer(tmp_path, "one", segment_s=0.05)
    writer.write([record(0)])
    writer.tick()
    assert segments(tmp_path, closed_only=True) == []
    time.sleep(0.06)
    writer.tick()
    assert len(segments(tmp_path, closed_only=True)) == 1
    writer.write([record(1)])
    time.sleep(0.06)
    writer.write([record(2)])
    assert [one.request_id for one in read_all(tmp_path, closed_only=True)] == ["id0", "id1", "id2"]


def test_names_stay_in_order_when_the_clock_jumps_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path, "one", segment_bytes=1)
    for number, now in enumerate((9_000, 5_000, 5_000)):
        monkeypatch.setattr(time, "time_ns", lambda now=now: now)
        writer.write([record(number)])
    assert [one.request_id for one in read_all(tmp_path)] == ["id0", "id1", "id2"]


def test_replicas_write_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Writer(tmp_path, name).write([record(0)])
    assert [one.replica for one in read_all(tmp_path)] == ["one", "two"]


def test_a_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    Writer(tmp_path, "one").write([record(0), record(1)])
    (left,) = segments(tmp_path)
    left.write_bytes(left.read_bytes()[:-10])
    assert [one.request_id for one in read(left)] == ["id0"]


def test_a_newer_writers_fields_are_passed_over(tmp_path: Path) -> None:
    Writer(tmp_path, "one").write([record(0)])
    (left,) = segments(tmp_path)
    left.write_bytes(left.read_bytes().replace(b'"row":0', b'"row":0,"later":1'))
    assert [one.request_id for one in read(left)] == ["id0"]


def test_a_living_writers_segment_is_left_alone_and_a_dead_ones_is_closed(tmp_path: Path) -> None:
    writer = Writer(tmp_path, "one")
    writer.write([record(0)])
    shelve(tmp_path / "one")
    assert segments(tmp_path, closed_only=True) == []
    os.close(writer._file)  # as the kernel does it for a killed process
    shelve(tmp_path / "one")
    assert [path.suffix for path in segments(tmp_path)] == [".jsonl"]


def test_shipping_moves_what_is_closed(tmp_path: Path) -> None:
    store, where = Store(tmp_path / "store"), folder(tmp_path, "wine")
    dead, living = Writer(where, "dead"), Writer(where, "living")
    for writer in (dead, living):
        writer.write([record(0)])
    dead.close()
    living.close()
    living.write([record(1)])
    assert (ship(store, tmp_path, "wine", "dead"), ship(store, tmp_path, "wine", "dead")) == (1, 0)
    assert ship_left(store, tmp_path, "wine") == 1
    assert [name.split("/")[2] for name in shipped(store, "wine")] == ["dead", "living"]
    assert [one.request_id for one in read_all(where)] == ["id1"]


def test_a_segment_that_arrived_before_a_kill_is_not_sent_twice(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    writer = Writer(folder(tmp_path, "wine"), "one")
    writer.write([record(0)])
    writer.close()
    (path,) = segments(folder(tmp_path, "wine"))
    store.create(f"predictions/wine/one/{path.name}", path.read_bytes())
    (path.parent / "0-empty.jsonl").touch()
    assert ship_left(store, tmp_path, "wine") == 2
    assert len(shipped(store, "wine")) == 1 and segments(folder(tmp_path, "wine")) == []


def test_a_kill_loses_at_most_the_line_being_written(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tasks.watching.log import Record, Writer\n"
        "writer = Writer(Path(sys.argv[1]), 'one', segment_bytes=20_000)\n"
        "for number in range(10**9):\n"
        "    writer.write([Record('prediction', str(number), 'wine', '1', inputs={'a': 'x' * 100})])\n"
        "    sys.stdout.write(f'{number}\\n'); sys.stdout.flush()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert child.stdout is not None
    with child.stdout:
        told = [child.stdout.readline() for _ in range(500)]
        os.kill(child.pid, signal.SIGKILL)
        told += child.stdout.readlines()
    child.wait()
    last = int([line for line in told if line.endswith("\n")][-1])
    found = [int(one.request_id) for one in read_all(tmp_path)]
    assert found == list(range(len(found)))
    assert len(found) - 1 >= last
