"""Lineage with git, with changes, and without."""

import subprocess
from pathlib import Path

import pytest

from tasks.registry.lineage import Commit, environment, git_commit, tags


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def test_a_clean_and_a_dirty_checkout(tmp_path: Path) -> None:
    git(tmp_path, "init")
    assert git_commit(tmp_path) == Commit()
    (tmp_path / "a.txt").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    clean = git_commit(tmp_path)
    assert len(clean.commit) == 40 and not clean.dirty
    (tmp_path / "a.txt").write_text("2")
    assert git_commit(tmp_path) == Commit(commit=clean.commit, dirty=True)
    (tmp_path / "a.txt").write_text("1")
    (tmp_path / "mine.py").write_text("import a")
    assert git_commit(tmp_path).dirty
    (tmp_path / ".gitignore").write_text("mine.py\n")
    git(tmp_path, "add", ".gitignore")
    git(tmp_path, "commit", "-m", "two")
    assert not git_commit(tmp_path).dirty


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_commit(tmp_path) == Commit()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(Path.cwd()) == Commit()


def test_tags_leave_out_what_is_not_known() -> None:
    assert tags(Commit(), "d", 3, "c") == {"data.digest": "d", "data.version": "3", "code.digest": "c"}
    known = tags(Commit(commit="abc", dirty=True), "d", 3, "c", flow_run_id="f", deployment="n", md5="m")
    assert (known["git.dirty"], known["prefect.flow_run_id"], known["dvc.md5"]) == ("true", "f", "m")


def test_the_environment_is_written_as_requirements() -> None:
    lines = environment().splitlines()
    assert any(line.startswith("pydantic==") for line in lines)
    names = [line.partition("==")[0].lower() for line in lines]
    assert names == sorted(set(names))
