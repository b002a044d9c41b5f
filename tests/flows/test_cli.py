"""The contract of the commands, without servers: exit codes, one paragraph for a mistake, JSON, files."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasks.settings import ROOT

HEADER = "Nummer;Datum;Größe;Ort;Preis"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project of the user's own, which is also where commands are typed."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("PENSTOCK_PROJECT", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(folder)
    return folder


def penstock(*words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """The command as a user's shell runs it."""
    line = [sys.executable, "-m", "flows.cli", *words]
    return subprocess.run(line, env=os.environ | extra, capture_output=True, text=True, check=False, timeout=50)


def done(*words: str, **extra: str) -> str:
    ended = penstock(*words, **extra)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def values(path: Path) -> dict[str, object]:
    loaded: dict[str, object] = yaml.safe_load(path.read_text())
    return loaded


MISTAKES = {
    "history wine-qualty": "no release 'wine-qualty'.*did you mean 'wine-quality'",
    "plan wine-qualty": "did you mean 'wine-quality'",
    "train credit-default --file none.csv": "none.csv .*does not exist",
    "train wine-quality --file pink=none.csv": "no part 'pink'.*red, white",
    "train credit-risk --set margin": "--set 'margin' is not of the form key=value",
    "train credit-risk --set magin=1": "unknown field 'magin', did you mean 'margin'",
    "train credit-risk --set margin=wide": "margin: .*got 'wide'",
    "plan credit-risk --set metric=mae": "no metric mae for binary",
    "score credit-risk --from none.csv --to out.csv": "none.csv does not exist",
    "score credit-risk --from sqlite:///x.db --to out.csv": "say --query too",
    "report credit-risk": "no champion yet",
    "serve credit-risk": "no champion to serve",
    "split credit-risk": "credit-risk never had a split",
    "split credit-risk 2 10": "share '10' is none; write it as 10%",
    "compare credit-risk 1 2": "no version 1 of credit-risk",
    "data profile wine-quality": "no snapshot yet",
    "data history wine": "no dataset 'wine'",
    "train credit-risk --set floors={a": "--set 'floors={a': the value is not readable YAML",
    "train credit-risk --set name=other": "--set 'name=other': a release is called as its file is",
    "score course-search --from none.csv --to out.csv": "kind documents and has no rows to score",
    "data profile course-guides": "is a folder of documents; profiles are of tables",
    "questions credit-risk": "kind tabular; golden questions are for",
    "questions course-search": "course-search was never trained",
    "forget credit-risk a.md": "which is no folder of documents",
    "forget course-search a.md": "No corpus of course-guides ever held 'a.md'",
    "new tabular ../../evil --from none.csv --target price": "'../../evil' cannot name a release",
    "new tabular mine --from none.csv --target price": "none.csv",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_ends_with_1_and_one_paragraph(project: Path, data_root: Path, command: str) -> None:
    ended = penstock(*command.split(" "))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("penstock: ") and ended.stderr.count("\n") == 1
    assert re.search(MISTAKES[command], ended.stderr), ended.stderr
    # nothing was started for it
    assert not (data_root / "servers").exists() and not list(project.iterdir())


def test_a_mistake_in_the_settings_names_the_nearest_one(project: Path) -> None:
    for command in ("status", "train wine-quality", "config"):
        ended = penstock(*command.split(), PENSTOCK_MLFLOW_PROT="5001")
        assert ended.returncode == 1 and ended.stderr.count("\n") == 1
        assert "no setting PENSTOCK_MLFLOW_PROT" in ended.stderr and "PENSTOCK_MLFLOW_PORT" in ended.stderr
    ended = penstock("status", PENSTOCK_MLFLOW_PORT="many")
    assert ended.returncode == 1 and "PENSTOCK_MLFLOW_PORT cannot be 'many'" in ended.stderr
    ended = penstock("serve", "credit-risk", PENSTOCK_FOLDER="some")
    assert ended.returncode == 1 and "PENSTOCK_FOLDER=some would be served in place of credit-risk" in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        "shadow credit-risk",
        "shadow credit-risk 1 --off",
        "shadow credit-risk one",
        "rollback",
        "train credit-risk --sed 1",
        "train credit-risk --seed one",
        "compare credit-risk 1",
        "new tabular mine --from x.csv",
        "fly",
    ],
)
def test_a_malformed_command_line_ends_with_2(project: Path, command: str) -> None:
    ended = penstock(*command.split())
    assert ended.returncode == 2 and ended.stdout == ""
    assert "Usage: " in ended.stderr and "Traceback" not in ended.stderr


def test_the_plan_of_a_release_that_was_never_trained(project: Path) -> None:
    assert "it never ran to its end with these options" in done("plan", "credit-risk")
    assert [line["state"] for line in json.loads(done("plan", "credit-risk", "--json"))] == ["runs"]


def test_the_history_of_an_untrained_release_has_its_shape(project: Path) -> None:
    told = json.loads(done("history", "credit-risk", "--json"))
    assert {"release", "champion", "versions", "entries"} <= set(told)
    assert (told["release"], told["champion"], told["versions"], told["entries"]) == ("credit-risk", None, [], [])


def test_config_says_where_each_value_comes_from(project: Path) -> None:
    told = json.loads(done("config", "--json", PENSTOCK_PORT="3100", PENSTOCK_API_KEYS='{"ann": "hunter2"}'))
    assert told["port"] == {"value": 3100, "from": "environment"}
    assert told["project"] == {"value": str(project), "from": "environment"}
    assert told["prefect_port"]["from"] == "default"
    text = done("config", PENSTOCK_API_KEYS='{"ann": "hunter2"}')
    assert "hunter2" not in text + json.dumps(told) and "api_keys" in text


def test_reads_of_an_empty_data_root(project: Path, data_root: Path) -> None:
    told = json.loads(done("status", "--json"))
    assert told["servers"] == [] and told["data_root"] == str(data_root)
    assert told["releases"]["credit-risk"] == {"champion": None, "pending": [], "services": []}
    assert json.loads(done("data", "history", "wine-quality", "--json")) == []
    verified = json.loads(done("verify", "--json", PENSTOCK_MLFLOW_PORT="1"))
    assert verified == {"mlflow": False, "releases": {}, "forgotten": {}}
    assert done("down") == "nothing was running\n"


def test_new_tabular_writes_three_files_and_says_what_it_assumed(project: Path, tmp_path: Path) -> None:
    towns = ("Köln", "Bonn", "Ulm")
    dates = [f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}" for number in range(120)]
    rows = [
        f"A{number:04};{day};{50 + number % 70};{towns[number % 3]};{number * 1.5 + 0.25}"
        for number, day in enumerate(dates)
    ]
    path = tmp_path / "häuser.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8-sig")
    said = done("new", "tabular", "houses", "--from", str(path), "--target", "Preis")
    assumed = " ".join(line for line in said.splitlines() if "assumed: " in line).lower()
    for word in ("semicolon", "bom", "nummer", "datum", "regression"):
        assert word in assumed, said
    files = {kind: project / kind / "houses.yaml" for kind in ("datasets", "contracts", "releases")}
    assert all(str(file) in said for file in files.values())
    recipe = values(files["releases"])
    assert (recipe["kind"], recipe["dataset"], recipe["target"], recipe["task"]) == (
        "tabular",
        "houses",
        "Preis",
        "regression",
    )
    assert "Nummer" in recipe["drop"]  # type: ignore[operator]
    columns = values(files["contracts"])["columns"]
    assert list(columns) == HEADER.split(";")  # type: ignore[call-overload]
    assert columns["Datum"]["dtype"].startswith("datetime")  # type: ignore[index]
    # the three files are a release: its plan can be made, and its name is taken
    assert "it never ran" in done("plan", "houses")
    again = penstock("new", "tabular", "houses", "--from", str(path), "--target", "Preis")
    assert again.returncode == 1 and "houses is taken" in again.stderr
    wrong = penstock("new", "tabular", "other", "--from", str(path), "--target", "Pries")
    assert wrong.returncode == 1 and "Pries" in wrong.stderr and "Preis" in wrong.stderr
    assert not (project / "releases" / "other.yaml").exists()
