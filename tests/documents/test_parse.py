"""A corpus read: unchanged documents cost nothing, a broken one is told, and a killed run keeps what it had."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks import artifacts
from tasks.artifacts import Artifact, Store
from tasks.documents import snapshots
from tasks.documents.corpus import scan
from tasks.documents.parse import ParsedCorpus, parse_corpus
from tasks.documents.parsed import PageOptions
from tasks.documents.parsed_file import read_parsed
from tasks.errors import BadInput
from tasks.settings import ROOT
from tests.bentos.test_follow import until
from tests.crash.harness import gone
from tests.documents import hostile, made
from tests.documents.folders import papers, written

OPTIONS = PageOptions()
TEXTS: dict[str, str | bytes] = {
    "a.md": "# Dams\n\nWater flows through the dam.\n",
    "b.txt": "A plain text about turbines.\n",
    "c/d.html": "<html><body><h1>Rivers</h1><p>They run to the sea.</p></body></html>",
}


def manifest(folder: Path) -> Artifact:
    return snapshots.take(scan(papers(folder), {}), None).manifest


def parse(folder: Path, options: PageOptions = OPTIONS) -> ParsedCorpus:
    return parse_corpus(manifest(folder), options)


def test_documents_of_all_kinds_in_the_order_of_the_manifest(tmp_path: Path, store: Store) -> None:
    parsed = parse(written(tmp_path / "in", TEXTS | {"e.pdf": made.text_pdf("One page.", "Another page.")}))
    documents = list(read_parsed(store.path(parsed.artifact)))
    assert [one.path for one in documents] == ["a.md", "b.txt", "c/d.html", "e.pdf"]
    assert [one.parsed and one.parsed.format for one in documents] == ["markdown", "text", "html", "pdf"]
    assert (parsed.documents, parsed.pages, parsed.problems, parsed.parsed_now) == (4, 5, [], 4)


def test_only_what_changed_is_read_again(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", TEXTS)
    first = parse(folder)
    assert parse(folder).artifact == first.artifact and parse(folder).parsed_now == 0
    (folder / "b.txt").write_text("Another text about turbines.\n")
    (folder / "a.md").rename(folder / "c" / "a.md")
    second = parse(folder)
    assert second.parsed_now == 1 and second.artifact != first.artifact
    assert parse(folder, PageOptions(tables=False)).parsed_now == 3


def test_a_lost_or_altered_piece_is_read_again(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", TEXTS)
    first = parse(folder)
    one, other, *_ = store.list("pieces/parsed")
    store.place(one).unlink()
    store.write(other, store.read(other).replace(b"page", b"pega"))
    again = parse(folder)
    assert again.parsed_now == 2 and again.artifact == first.artifact


def test_what_cannot_be_read_is_told_once_and_stops_nothing(tmp_path: Path, store: Store) -> None:
    bad = {f"bad-{name}.pdf": build() for name, build in hostile.UNREADABLE.items()}
    parsed = parse(written(tmp_path / "in", TEXTS | bad))
    assert {problem.document for problem in parsed.problems} == bad.keys()
    assert all(len(problem.reason) > 10 for problem in parsed.problems)
    assert parsed.documents == 3
    assert parse(tmp_path / "in").parsed_now == 0
    lines = {one.path: one for one in read_parsed(store.path(parsed.artifact))}
    assert lines["bad-empty.pdf"].parsed is None and lines["bad-empty.pdf"].problem


def test_a_corpus_of_broken_documents_alone_is_refused(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BadInput, match=r"Not one of the 2 documents .* a.pdf"):
        parse(written(tmp_path / "in", {"a.pdf": b"", "b.pdf": made.header_only()}))
    with pytest.raises(BadInput, match=r"The only document of papers cannot be read: x/a\.pdf: it is named \.pdf but"):
        parse(written(tmp_path / "one", {"x/a.pdf": b"text"}))


def test_marks_are_counted(tmp_path: Path, store: Store) -> None:
    parsed = parse(written(tmp_path / "in", {"a.pdf": made.truncated(), "b.pdf": made.encrypted_owner()}))
    assert parsed.marks.get("repaired") == 1


def test_pages_and_pictures_that_were_not_read_are_told(tmp_path: Path, store: Store) -> None:
    files: dict[str, str | bytes] = {
        "a.pdf": hostile.torn_page(),
        "b.pdf": made.with_picture("Dams."),
        "c.pdf": made.scan(),
    }
    parsed = parse(written(tmp_path / "in", files), PageOptions(ocr=True))
    assert (parsed.documents, [one.document for one in parsed.problems]) == (2, ["c.pdf"])
    assert parsed.notes[0] == "a.pdf: 1 of its pages could not be read: 2."
    assert "1 document has pages that are only pictures" in parsed.notes[1] and "tesseract-ocr" in parsed.notes[1]
    plain = parse(tmp_path / "in")
    assert len(plain.notes) == 1 and "set pages.ocr: true" in plain.problems[0].reason


def test_a_killed_run_keeps_what_it_had_read_and_leaves_nobody_behind(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", {f"{number}.txt": f"Text {number}." for number in range(300)})
    code = """
import pathlib, sys
from tasks.artifacts import opened
from tasks.documents.parse import parse_corpus
from tasks.documents.parsed import PageOptions
from tests.documents.test_parse import manifest
with opened(sys.argv[1]):
    parse_corpus(manifest(pathlib.Path(sys.argv[2])), PageOptions())
"""
    line = [sys.executable, "-c", code, str(tmp_path / "store"), str(folder)]
    (tmp_path / "temporary").mkdir()
    env = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")}
    process = subprocess.Popen(line, cwd=ROOT, env=env)
    store = Store(tmp_path / "store")
    while process.poll() is None and not store.list("pieces"):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with artifacts.opened(tmp_path / "store") as store:
        kept = len(store.list("pieces/parsed"))
        parsed = parse(folder)
    assert kept > 0 and parsed.parsed_now == 300 - kept and parsed.documents == 300
    assert gone(tmp_path / "temporary") == []
    until(lambda: not list((tmp_path / "temporary").glob("penstock-*")), 20)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_small_files(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {f"{number % 100}/{number}.txt": f"Text {number}." for number in range(10_000)})
    assert parse(folder).documents == 10_000
    (folder / "7" / "7.txt").write_text("Changed.")
    assert parse(folder).parsed_now == 1
