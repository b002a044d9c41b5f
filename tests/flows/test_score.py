"""The flow of batch scoring, on a Prefect server: the ledger's champion scores, and the run's page says so."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tasks.artifacts import Artifact, Store, opened
from tasks.errors import BadInput, Refused
from tasks.registry import ledger, records
from tests.tables.batch_rows import as_csv, some_houses
from tests.tables.conftest import Trained, houses, train

RECIPE = {
    "kind": "tabular",
    "dataset": "houses",
    "target": "target",
    "task": "regression",
    "metric": "mae",
    "margin": 0,
}
DATASET = {"title": "Houses", "licence": "none", "source": {"type": "file", "path": "houses.csv"}}


@pytest.fixture
def project(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A project with the release `houses`; its store."""
    for kind, value in (("releases", RECIPE), ("datasets", DATASET)):
        (tmp_path / "project" / kind).mkdir(parents=True)
        (tmp_path / "project" / kind / "houses.yaml").write_text(yaml.safe_dump(value))
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    return Store(data_root / "store")


def made(store: Store, seed: int) -> Trained:
    with opened(store.root):
        return train(houses(400, seed=seed), "regression", seed)


def keep(store: Store, version: int, folder: Artifact) -> None:
    record = records.VersionRecord(
        version=version, key=f"k{version}", run_id="r", created="now", release_digest="d", folder=folder
    )
    records.keep(store, "houses", record)


def promote(store: Store, version: int) -> None:
    move = ledger.Move(action="promote", alias="champion", to_version=version)
    ledger.append(store, "houses", "test", lambda _: move)


@pytest.mark.timeout(180)
def test_the_champion_of_the_ledger_scores(prefect_server: str, project: Store, tmp_path: Path) -> None:
    from prefect.client.orchestration import get_client

    from flows.score import score
    from tasks.tables.predictor import Predictor

    first, second = made(project, 0), made(project, 1)
    keep(project, 1, first.release)
    keep(project, 2, second.release)
    source = as_csv(some_houses(120), tmp_path / "in.csv")
    with pytest.raises(Refused, match="no champion to score with yet"):
        score("houses", str(source), str(tmp_path / "out.parquet"))
    answers = []
    for version, trained in ((1, first), (2, second)):
        promote(project, version)
        done = score("houses", str(source), str(tmp_path / "out.parquet"))
        assert (done.version, done.rows, done.unseen) == (version, 120, 3)
        out = pq.read_table(tmp_path / "out.parquet")
        assert set(out["version"].to_pylist()) == {version}
        predictor = Predictor.load(project.path(trained.release))
        request = predictor.release["golden"][0]["request"] | {"size": 80.0, "town": "York"}
        answers.append(predictor.predict([request])[0]["prediction"])
    assert answers[0] != answers[1]
    with get_client(sync_client=True) as client:
        pages = [page.data for page in client.read_artifacts() if page.key == "score-houses"]
    assert any("120 rows scored" in str(page) and "| version | 2 |" in str(page) for page in pages)


@pytest.mark.timeout(180)
def test_a_users_mistake_ends_the_run_with_its_own_words(prefect_server: str, project: Store, tmp_path: Path) -> None:
    from flows.score import score

    keep(project, 1, made(project, 0).release)
    promote(project, 1)
    source = as_csv(some_houses(60).drop_columns(["rooms"]), tmp_path / "in.csv")
    with pytest.raises(BadInput, match=r"in\.csv lacks the column 'rooms'"):
        score("houses", str(source), str(tmp_path / "out.csv"))
    assert not (tmp_path / "out.csv").exists()
