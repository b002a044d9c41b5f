"""Files that people write, written by a program: whole, with the mode and the line ends that they had."""

import os
from pathlib import Path

import pytest

from tasks.sources.yamls import put_text


def test_a_file_keeps_its_mode_and_a_new_one_has_the_usual(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "folder" / "new.yaml"
    old.write_text("before")
    old.chmod(0o664)
    before = os.umask(0o027)
    try:
        put_text(old, "a\r\nb\n")
        put_text(new, "c")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (old, new)] == [0o664, 0o640]
    assert old.read_bytes() == b"a\r\nb\n" and new.read_bytes() == b"c"
    assert sorted(tmp_path.rglob("*.*")) == [new, old]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        put_text(path, "\ud800")
    assert path.read_text() == "before" and [*tmp_path.iterdir()] == [path]
