"""`penstock labels`: from a file into the log of a release with a champion."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tasks.artifacts import Store
from tasks.settings import ROOT
from tasks.watching.log import Record, Writer, folder
from tests.flows.test_score import keep, made, project, promote  # noqa: F401 - a fixture


def labels(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "flows.cli", "labels", "houses", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)


def test_labels_of_a_file(project: Store, data_root: Path, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "labels.csv"
    file.write_text("request_id,label\na,120.5\nb,95\na,dear\n")
    done = labels(file)
    assert (done.returncode, "houses has no champion" in done.stderr) == (1, True)
    keep(project, 1, made(project, 0).release)
    promote(project, 1)
    Writer(folder(data_root, "houses"), "one").write([Record("prediction", "a", "houses", "1")])
    done = labels(file)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "2 of 3 labels are in the log of houses",
        "1 fit no answer and are left out, such as:",
        "  row 3: The label 'dear' does not fit; this release takes a number.",
        "1 belong to no answer in the log, and join when it arrives, such as:",
        "  b",
    ]
    file.write_text("request_id,label\na,120.5\n")
    assert json.loads(labels(file, "--json").stdout)["known"] == 0
    again = labels(file)
    assert (again.returncode, again.stdout) == (0, "1 of 1 labels are in the log of houses, 1 of them before\n")
    assert "is not a file" in labels(tmp_path).stderr
