"""The sandbox: whatever a file does to its reader, the others are read, and nothing outlives the parent."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pymupdf
import pytest

from tasks.documents import jobs
from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.pool import Limits, Result, Work, run
from tasks.errors import Unavailable
from tasks.settings import ROOT
from tests.documents import hostile, made
from tests.documents.hostile_jobs import misbehave

QUICK = Limits(seconds=1, seconds_per_mb=0, wall=40, memory=1 << 30)


def tried(names: list[str], folder: Path, limits: Limits = QUICK, workers: int = 2) -> dict[int, Result]:
    works = [Work(path=folder / name, size=0, told={"what": name}) for name in names]
    found = {result.number: result for result in run(misbehave, works, workers=workers, limits=limits)}
    assert sorted(found) == list(range(len(names)))
    return found


BAD = {
    "refuse": "it is no document",
    "raise": "KeyError: 'an error that nobody thought of'",
    "hog": "more than 1024 MB of memory",
    "leave": "code 3",
    "killed": "SIGKILL",
    "crash": "SIGSEGV",
    "spin": "seconds of processor time",
    "lie": "nonsense",
}


@pytest.mark.timeout(120)
def test_each_bad_file_is_told_and_the_good_ones_are_read(tmp_path: Path) -> None:
    names = [name for bad in BAD for name in (bad, "good")]
    found = tried(names, tmp_path)
    for number, name in enumerate(names):
        if name == "good":
            assert (found[number].body or b"").startswith(b"good"), found[number]
        else:
            assert found[number].body is None and BAD[name] in (found[number].problem or ""), found[number]
    assert [names[number] for number, one in sorted(found.items()) if one.passing] == ["raise", "killed"]


def test_one_that_sleeps_is_ended_by_the_clock(tmp_path: Path) -> None:
    found = tried(["sleep", "good"], tmp_path, QUICK.model_copy(update={"wall": 1.0}))
    assert found[0].problem == "it was not read within 1 seconds" and found[0].passing
    assert found[1].body


def test_a_file_that_ends_its_reader_once_is_tried_again(tmp_path: Path) -> None:
    found = tried(["first time", "good"], tmp_path)
    assert found[0].body and found[0].problem is None


def test_a_child_reads_many_files_and_is_then_replaced(tmp_path: Path) -> None:
    found = tried(["good"] * 10, tmp_path, QUICK.model_copy(update={"files": 4}), workers=1)
    assert len({one.body for one in found.values()}) == 3


def test_large_results_and_noise_come_through(tmp_path: Path) -> None:
    found = tried(["large", "print", "large"], tmp_path)
    assert [len(found[number].body or b"") for number in (0, 2)] == [5 << 20, 5 << 20]
    assert (found[1].body or b"").startswith(b"print")


def test_a_result_without_end_is_refused(tmp_path: Path) -> None:
    found = tried(["large", "good"], tmp_path, QUICK.model_copy(update={"result": 1 << 20}))
    assert "larger than 1 MB" in (found[0].problem or "") and found[1].body


@pytest.mark.parametrize(("what", "words"), [("full disk", "No space left on device"), ("torn install", "nowhere")])
def test_what_this_machine_is_to_blame_for_ends_the_run_after_all_others(tmp_path: Path, what: str, words: str) -> None:
    works = [Work(path=tmp_path / name, size=0, told={"what": name, "name": name}) for name in (what, "good", "good")]
    results = run(misbehave, works, limits=QUICK)
    assert all(next(results).body for _ in range(2))
    with pytest.raises(Unavailable, match=f"{what} could not be read here .*{words}.*run again"):
        next(results)


def test_the_clock_has_an_end_whatever_the_size(tmp_path: Path) -> None:
    limits = QUICK.model_copy(update={"seconds": 3600, "longest": 1})
    assert tried(["sleep"], tmp_path, limits)[0].problem == "it was not read within 1 seconds"


def test_a_child_can_do_no_more_than_read(tmp_path: Path) -> None:
    told = json.loads(tried(["rights"], tmp_path)[0].body or b"")
    assert told == {"NoNewPrivs": "1", "files": 64, "processes": 0, "core": 0, "written": QUICK.result, "sockets": 1}


def test_secrets_of_the_parent_stay_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert b"AWS" not in (tried(["secrets"], tmp_path)[0].body or b"AWS")


def test_it_runs_in_threads_and_ends_early_without_leftovers(tmp_path: Path) -> None:
    found: list[Result] = []

    def first_only() -> None:
        results = run(misbehave, [Work(path=tmp_path, size=0, told={"what": what}) for what in ("good", "sleep")])
        found.append(next(results))
        results.close()

    threads = [threading.Thread(target=first_only) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [bool(result.body) for result in found] == [True, True]
    assert left(os.getpid()) == []


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    code = """
import pathlib, sys
from tasks.documents.pool import Work, run
from tests.documents.hostile_jobs import misbehave
works = [Work(path=pathlib.Path(sys.argv[1]), size=0, told={"what": what}) for what in ("good", "sleep", "spin")]
for result in run(misbehave, works):
    print(result.number, flush=True)
"""
    line = [sys.executable, "-c", code, str(tmp_path)]
    parent = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)})
    with parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"0\n"
        below = psutil.Process(parent.pid).children(recursive=True)
        assert len(below) >= 3
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        _, alive = psutil.wait_procs(below, timeout=10)
        assert alive == []


def left(process: int) -> list[str]:
    """Readers below a process that are there still after a moment."""
    for _ in range(50):
        below = psutil.Process(process).children(recursive=True)
        found = [" ".join(one.cmdline()) for one in below if one.status() != psutil.STATUS_ZOMBIE]
        readers = [line for line in found if "tasks.documents.sandbox" in line]
        if not readers:
            return []
        time.sleep(0.1)
    return readers


HOSTILE = {
    "nested.pdf": hostile.nested_bomb,
    "loop.pdf": hostile.page_tree_loop,
    "count.pdf": hostile.huge_count,
    "empty.pdf": made.empty,
    "header.pdf": made.header_only,
    "locked.pdf": made.encrypted_user,
}


@pytest.mark.timeout(180)
def test_hostile_documents_beside_good_ones(tmp_path: Path) -> None:
    good = made.report(3).data
    files = {name: build() for name, build in HOSTILE.items()}
    files |= {f"good-{number}.pdf": good for number in range(4)} | {"flate.pdf": hostile.flate_bomb(200)}
    works = []
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        told = {"name": name, "options": PageOptions().model_dump()}
        works.append(Work(path=tmp_path / name, size=len(data), told=told))
    limits = Limits(seconds=3, seconds_per_mb=1, wall=30)
    names = list(files)
    found = {names[one.number]: one for one in run(jobs.parse, works, ("tasks.documents.parsers",), limits=limits)}
    for number in range(4):
        assert len(Parsed.model_validate_json(found[f"good-{number}.pdf"].body or b"").blocks) > 3
    assert "processor time" in (found["nested.pdf"].problem or "")
    for name in [*HOSTILE, "flate.pdf"]:
        assert found[name].body is None and json.dumps(found[name].problem)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_two_thousand_pages(tmp_path: Path) -> None:
    path = tmp_path / "long.pdf"
    with pymupdf.open(stream=made.report(100, paragraphs=3).data) as part, pymupdf.open() as whole:
        for _ in range(20):
            whole.insert_pdf(part)
        path.write_bytes(whole.tobytes(deflate=True))
    told = {"name": path.name, "options": PageOptions().model_dump()}
    (result,) = run(jobs.parse, [Work(path=path, size=path.stat().st_size, told=told)], ("tasks.documents.parsers",))
    assert result.problem is None
    parsed = Parsed.model_validate_json(result.body or b"")
    assert parsed.pages == 2000 and len(parsed.blocks) >= 2000
