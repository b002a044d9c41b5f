"""The prediction log: rotation, what a kill leaves, replicas."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.errors import BadInput
from tasks.watching.log import Record, Writer, folder, read, read_all, segments
from tasks.watching.replicas import Heartbeat, beat, leave, replicas


def record(number: int) -> Record:
    return Record("prediction", f"id{number}", "wine", "1", "/predict", inputs={"a": number}, output={"b": 1.5})


def test_rotation_keeps_order_and_every_record(tmp_path: Path) -> None:
    where = folder(tmp_path, "wine")
    writer = Writer(where, "one", segment_bytes=1000)
    for number in range(30):
        writer.write([record(number)])
    names = [path.name for path in segments(where)]
    assert names[:2] == ["000001.jsonl", "000002.jsonl"]
    assert len(names) > 5
    assert [one.request_id for one in read_all(where)] == [f"id{number}" for number in range(30)]
    assert len(segments(where, closed_only=True)) == len([name for name in names if name != "open.jsonl"])
    writer.close()
    assert segments(where) == segments(where, closed_only=True)


def test_replicas_write_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Writer(tmp_path, name).write([record(0)])
    assert [one.replica for one in read_all(tmp_path)] == ["one", "two"]


def test_a_torn_last_line_is_left_out_and_the_next_process_starts_afresh(tmp_path: Path) -> None:
    Writer(tmp_path, "one").write([record(0), record(1)])
    left = tmp_path / "one" / "open.jsonl"
    left.write_bytes(left.read_bytes()[:-10])
    assert [one.request_id for one in read(left)] == ["id0"]
    Writer(tmp_path, "one").write([record(2)])
    assert [one.request_id for one in read_all(tmp_path)] == ["id0", "id2"]


def test_a_line_broken_in_the_middle_is_told(tmp_path: Path) -> None:
    Writer(tmp_path, "one").write([record(0), record(1)])
    left = tmp_path / "one" / "open.jsonl"
    left.write_bytes(left.read_bytes().replace(b'"id0"', b'"id0'))
    with pytest.raises(BadInput, match="Line 1 of the log"):
        list(read(left))


def test_a_newer_writers_fields_are_passed_over(tmp_path: Path) -> None:
    Writer(tmp_path, "one").write([record(0)])
    left = tmp_path / "one" / "open.jsonl"
    left.write_bytes(left.read_bytes().replace(b'"row":0', b'"row":0,"later":1'))
    assert [one.request_id for one in read(left)] == ["id0"]


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


def test_heartbeats_of_a_release(tmp_path: Path) -> None:
    now = time.time()
    beat(tmp_path, Heartbeat("one", "wine", "3", "http://127.0.0.1:3000", now, 1))
    beat(tmp_path, Heartbeat("two", "wine", "2", "http://127.0.0.1:3001", now - 60, 2))
    beat(tmp_path, Heartbeat("three", "beer", "1", "http://127.0.0.1:3002", now, 3))
    assert [one.version for one in replicas(tmp_path, "wine")] == ["3"]
    beat(tmp_path, Heartbeat("one", "wine", "4", "http://127.0.0.1:3000", now, 1))
    assert [one.version for one in replicas(tmp_path, "wine")] == ["4"]
    leave(tmp_path, "one")
    assert replicas(tmp_path, "wine") == []
