"""What may be gone another time is told, kept by nobody, and never passes for a removal."""

import json
import os
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tasks.artifacts import Store
from tasks.documents import snapshots, taking
from tasks.documents.corpus import scan
from tasks.documents.parse import parse_corpus
from tasks.documents.parsed import PageOptions
from tasks.documents.tesseract import Tesseract, tesseract
from tasks.errors import BadInput, Unavailable
from tests.documents import hostile
from tests.documents.folders import papers, written
from tests.documents.killing import readers_killed


class Flaky(MemoryFileSystem):
    """A file system that loses its connection at some files."""

    protocol = "flaky"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("flaky://").strip("/")

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **more: Any) -> bytes:
        self.stumble(path)
        return bytes(super().cat_file(path, start, end, **more))

    def get_file(self, rpath: str, lpath: Any, **more: Any) -> None:
        self.stumble(rpath)
        super().get_file(rpath, lpath, **more)

    def stumble(self, path: str) -> None:
        if "gone" in path:
            raise FileNotFoundError(path)
        if "broken" in path:
            raise TimeoutError("the connection was lost")


@pytest.mark.timeout(120)
def test_a_killed_reader_is_told_and_its_document_read_again(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {"a.txt": "Water.", "bomb.pdf": hostile.nested_bomb()})
    manifest = snapshots.take(scan(papers(folder), {}), None).manifest
    for now in (2, 1):
        with readers_killed():
            parsed = parse_corpus(manifest, PageOptions())
        assert parsed.passing == ["bomb.pdf"] and "SIGKILL" in parsed.problems[0].reason
        assert (parsed.documents, parsed.parsed_now) == (1, now)
    (folder / "a.txt").unlink()
    manifest = snapshots.take(scan(papers(folder), {}), None).manifest
    with readers_killed(), pytest.raises(Unavailable, match="The only document"):
        parse_corpus(manifest, PageOptions())


@pytest.mark.timeout(120)
def test_a_killed_rendering_does_not_pass_for_a_removal(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {"a.md": "# Dams\n\n" + "water flows " * 400_000, "b.txt": "b"})
    with readers_killed(), pytest.raises(Unavailable, match=r"'a\.md': .*SIGKILL.* run again"):
        scan(papers(folder, render=True), {})


def test_markdown_of_another_encoding_is_left_out_when_rendered(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {"a.md": "Käse".encode("latin-1"), "b.txt": "b"})
    corpus = scan(papers(folder, render=True), {})
    assert [one.path for one in corpus.documents] == ["b.txt"] and "is not UTF-8 text" in corpus.notes[0]


@pytest.mark.parametrize("size", [3, taking.LARGE + 1])
def test_a_failed_download_does_not_pass_for_a_removal(store: Store, size: int) -> None:
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    remote = fsspec.filesystem("flaky")
    remote.pipe({"/flaky/a.txt": b"a" * size, "/flaky/gone.txt": b"b" * size})
    corpus = scan(papers("flaky://flaky"), {})
    assert [(one.path, one.size) for one in corpus.documents] == [("a.txt", size)]
    assert store.whole(corpus.documents[0].artifact)
    assert corpus.notes == ["'gone.txt' is left out: it is not there any more."]
    remote.pipe("/flaky/broken.txt", b"c" * size)
    with pytest.raises(Unavailable, match=r"'broken\.txt' .*TimeoutError: the connection was lost.*run again"):
        scan(papers("flaky://flaky"), {})
    remote.rm("/flaky", recursive=True)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that says what Tesseract says."""
    data = written(tmp_path / "data", dict.fromkeys(["eng.traineddata", "deu.traineddata", "osd.traineddata"], b""))
    program = tmp_path / "bin" / "tesseract"
    listed = f'List of available languages in "{data}/" (3):'
    says = f"""#!/bin/sh\ncase "$1" in --version) echo 'tesseract 5.3.0';; *) echo '{listed}';; esac\n"""
    written(tmp_path / "bin", {"tesseract": says})
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("TESSDATA_PREFIX", raising=False)
    return data


def test_tesseract_is_asked_for_its_version_and_languages(installed: Path) -> None:
    found = tesseract(PageOptions(ocr=True))
    assert found == Tesseract(version="tesseract 5.3.0", folder=f"{installed}/", languages=("deu", "eng"))
    assert tesseract(PageOptions()) is None
    with pytest.raises(BadInput, match=r"no language 'fra' here, only deu, eng: install tesseract-ocr-fra"):
        tesseract(PageOptions(ocr=True, ocr_languages=("deu", "fra")))


def test_another_tesseract_reads_again(tmp_path: Path, store: Store) -> None:
    manifest = snapshots.take(scan(papers(written(tmp_path / "in", {"a.txt": "Water."})), {}), None).manifest
    one, options = Tesseract(version="5.3", folder="/here", languages=("eng",)), PageOptions(ocr=True)
    changes: list[dict[str, object]] = [{}, {"folder": "/there"}, {"version": "5.4"}, {"languages": ("deu", "eng")}]
    readers = [one.model_copy(update=change) for change in changes]
    assert [parse_corpus(manifest, options, reader).parsed_now for reader in [*readers, None]] == [1, 0, 1, 1, 1]
    assert json.loads(parse_corpus(manifest, options).model_dump_json())["notes"] == []
