"""The assistant's flow, killed again and again between base and decision, and run on until it is done."""

from pathlib import Path
from typing import Any

import pytest

from tasks.language.town import COLUMNS, courses, names
from tests.crash.parts import Home, Part, survives
from tests.flows.papers import Shelf, moved_in, primed

RECIPE = {
    "kind": "assistant",
    "dataset": "lectures",
    "base": "tiny",
    "tiny": {"hidden": 64, "inner": 128, "courses": 12, "steps": 300, "batch": 8},
    "lora": {"epochs": 40, "rate": 5e-3, "dropout": 0.05, "patience": 1000},
    "judged": 60,
    "answer_tokens": 24,
    "measure": False,
}
TOWN = 6  # courses of the catalogue

PARTS = (
    Part("training", " batches of ", 4, kept=True),
    Part("merging", "learned after", 1),
    Part("asking", "asking base and tuned model", 2),
    Part("exporting", "perplexity", 2),
    Part("deciding", "registered as version", 1),
)


class School(Shelf):
    """A house whose only document is the catalogue of a few courses."""

    def furnish(self) -> None:
        self.put("datasets/lectures.yaml", {"title": "Lectures", "licence": "CC0-1.0", "source": self.source()})
        self.put(f"releases/{self.name}.yaml", RECIPE)
        rows = [[one.name, *one.facts.values()] for one in courses(names()[:TOWN], seed=3)]
        table = [["course", *COLUMNS], ["---"] * (1 + len(COLUMNS)), *rows]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
        self.paper("lectures.md").write_text(f"# Lectures\n\n## Courses\n\n{lines}\n")


def made(home: Home) -> list[Any]:
    weights = [(told["base"]["digest"], told["merged"]["digest"]) for told in home.kept]
    return [weights, *([told[name] for name in ("files", "metrics", "merging", "golden")] for told in home.kept)]


@pytest.fixture
def homes(
    prefect_server: str, mlflow_url: str, tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> tuple[Home, Home]:
    assert pytestconfig.cache is not None
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    ready = primed(pytestconfig.cache.mkdir("documents"), pytestconfig.cache.mkdir("minilm"))
    found = []
    for name in ("undisturbed", "killed"):
        moved_in(tmp_path / name, ready)
        found.append(Home(School(tmp_path / "project", name, prefect_server, mlflow_url), tmp_path / name))
        found[-1].house.furnish()
    return found[0], found[1]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_killed_ten_times_ends_where_an_undisturbed_one_does(
    homes: tuple[Home, Home], capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        survives(homes, PARTS, 9, made, "lora")
