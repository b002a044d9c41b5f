"""Against a real MLflow server: registration found again, plain MLflow reads it, downloads are checked."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import lightgbm
import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from tasks.artifacts import Store
from tasks.errors import BadInput, NotFound, Refused, Unavailable
from tasks.registry import moves, records
from tasks.registry.aliases import Registry
from tasks.registry.recipes import Recipe
from tasks.registry.records import VersionRecord
from tasks.registry.rest import RELEASE_DIGEST, Mlflow, VersionInfo, faults
from tasks.registry.road import Road
from tasks.registry.verify import verify
from tasks.registry.versions import Candidate, Data, Registered, register
from tests.registry.conftest import around, evidence_of, release_folder, works

pytestmark = pytest.mark.timeout(240)  # the server takes half a minute to start


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    rows = np.random.default_rng(0).normal(size=(200, 2))
    data = lightgbm.Dataset(rows, rows[:, 0] > 0, feature_name=["ph", "sugar"])
    return lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 3}, data, 3)


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory, booster: lightgbm.Booster) -> Candidate:
    folder = tmp_path_factory.mktemp("made")
    plots = folder / "plots"
    plots.mkdir()
    (plots / "roc.svg").write_text("<svg/>")
    files = {"model.txt": booster.model_to_string().encode(), "parts/transform.json": b"{}"}
    return Candidate(
        release="wine",
        key="k1",
        folder=release_folder(folder / "release", files),
        params={f"p{number}": number for number in range(130)},
        metrics={"auc": around(0.8)},
        tags={"git.commit": "abc"},
        data=Data(name="wine", version=1, digest="d" * 64, rows=200, columns={"ph": "float"}, source="file"),
        plots=plots,
        tables={"questions": [{"id": "a", "rank": 1}, {"id": "b", "rank": None}]},
        booster="model.txt",
        example=[[3.1, 2.0]],
    )


@pytest.fixture(scope="module")
def first(mlflow_url: str, candidate: Candidate) -> Registered:
    return register(mlflow_url, candidate)


@pytest.fixture
def registry(mlflow_url: str) -> Iterator[Registry]:
    with Registry(mlflow_url) as client:
        yield client


def test_a_second_registration_finds_the_first(mlflow_url: str, candidate: Candidate, first: Registered) -> None:
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert register(mlflow_url, candidate) == first
    assert first.version == 1


def test_the_run_holds_everything(mlflow_url: str, candidate: Candidate, first: Registered) -> None:
    client = mlflow.MlflowClient(mlflow_url)
    run = client.get_run(first.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"auc": 0.8, "auc_low": 0.795, "auc_high": 0.805}
    assert len(run.data.params) == 130 and run.data.tags["git.commit"] == "abc"
    assert run.inputs.dataset_inputs[0].dataset.name == "wine"
    assert {item.path for item in client.list_artifacts(first.run_id)} == {
        "environment.txt",
        "plots",
        "release",
        "tables",
    }


def test_a_killed_registration_is_finished(
    mlflow_url: str, candidate: Candidate, first: Registered, registry: Registry
) -> None:
    other = candidate.model_copy(update={"key": "killed"})
    client = mlflow.MlflowClient(mlflow_url)
    experiment = client.get_experiment_by_name("wine")
    assert experiment is not None
    begun = client.create_run(experiment.experiment_id, tags={"penstock.key": "killed"})
    client.log_param(begun.info.run_id, "p0", "0")
    client.log_dict(begun.info.run_id, {"columns": ["id"], "data": [["a"], ["b"]]}, "tables/questions.json")
    made = register(mlflow_url, other)
    assert made.run_id == begun.info.run_id
    table = json.loads(Path(client.download_artifacts(made.run_id, "tables/questions.json")).read_bytes())
    assert len(table["data"]) == 2  # no row is there twice
    assert client.get_run(made.run_id).info.status == "FINISHED"
    assert [info.version for info in registry.versions("wine")] == list(range(1, made.version + 1))


def test_plain_mlflow_serves_the_champion(
    mlflow_url: str, first: Registered, registry: Registry, booster: lightgbm.Booster, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.set_alias("wine", "plain", first.version)
    monkeypatch.setattr(mlflow, "set_tracking_uri", mlflow.set_tracking_uri)
    mlflow.set_tracking_uri(mlflow_url)
    try:
        model = mlflow.lightgbm.load_model("models:/wine@plain")
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        registry.delete_alias("wine", "plain")
    rows = np.array([[0.5, 1.0], [-0.5, 1.0]])
    assert model.predict(rows) == pytest.approx(booster.predict(rows))


def test_aliases_and_tags_over_http(first: Registered, registry: Registry) -> None:
    assert registry.aliases("nothing") == {} and registry.alias("nothing", "champion") is None
    assert registry.alias("wine", "challenger") is None
    registry.set_alias("wine", "challenger", 1)
    registry.set_tag("wine", 1, "penstock.ledger.challenger", "e")
    named = registry.alias("wine", "challenger")
    assert named is not None and named.version == 1 and named.admitted("challenger") and not named.admitted("champion")
    assert registry.aliases("wine") == {"challenger": 1}
    for _ in range(2):
        registry.delete_tag("wine", 1, "penstock.ledger.challenger")
        registry.delete_alias("wine", "challenger")
    assert registry.aliases("wine") == {} and not registry.version("wine", 1).admitted("challenger")
    with pytest.raises(NotFound):
        registry.version("wine", 99)


def test_a_download_is_whole_and_checked(
    tmp_path: Path, candidate: Candidate, first: Registered, registry: Registry
) -> None:
    target = tmp_path / "cache" / "v1"
    version = registry.version("wine", 1)
    assert registry.download(version, target) == target
    assert faults(target, first.release_digest) == []
    (target / "model.txt").write_bytes(b"other")
    registry.download(version, target)
    assert (target / "model.txt").read_bytes() == (candidate.folder / "model.txt").read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["v1"]


def test_what_is_not_what_was_registered_is_refused(
    tmp_path: Path, mlflow_url: str, candidate: Candidate, first: Registered, registry: Registry
) -> None:
    other = register(mlflow_url, candidate.model_copy(update={"key": "altered"}))
    version = registry.version("wine", other.version)
    uri = mlflow.MlflowClient(mlflow_url).get_run(other.run_id).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    place = f"{mlflow_url}/api/2.0/mlflow-artifacts/artifacts/{uri}/release"
    httpx.put(f"{place}/parts/transform.json", content=b"altered", trust_env=False).raise_for_status()
    with pytest.raises(Refused, match=r"parts/transform\.json is missing or altered"):
        registry.download(version, tmp_path / "v")
    httpx.put(f"{place}/release.json", content=b'{"files": {"../../x": ""}}', trust_env=False).raise_for_status()
    with pytest.raises(Refused, match=r"release\.json has sha256"):
        registry.download(version, tmp_path / "v")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Refused, match="not registered by Penstock"):
        registry.download(VersionInfo(release="wine", version=5, run_id="r"), tmp_path / "v")


def test_the_whole_road_on_a_real_server(
    tmp_path: Path, mlflow_url: str, candidate: Candidate, store: Store, registry: Registry, recipe: Recipe
) -> None:
    name = "road"
    road = Road(store=store, release=name, book=registry, lock=tmp_path / "lock", who="test", smoke=works)
    for key in ("a", "b"):
        mine = candidate.model_copy(update={"release": name, "key": key, "booster": None, "plots": None})
        made = register(mlflow_url, mine)
        folder = store.put_folder("releases", mine.folder)
        records.keep(store, name, VersionRecord(**made.model_dump(), key=key, folder=folder, tags=mine.tags))
        champion = made.version - 1 or None
        evidence = evidence_of(made.version, champion, release=name)
        assert verify(store, name, registry) == [
            f"Version {made.version} has no decision: its run was stopped before the gate; train again."
        ]
        assert road.offer(evidence, recipe).champion == made.version
    assert verify(store, name, registry) == []
    assert road.roll_back().champion == 1
    assert verify(store, name, registry) == []
    registry.set_alias(name, "champion", 2)
    assert [line for line in verify(store, name, registry) if "alias champion" in line and "outside" in line]
    registry.set_alias(name, "champion", 1)
    registry.set_tag(name, 2, RELEASE_DIGEST, "0" * 64)
    assert verify(store, name, registry) == [
        f"Version 2: the tag {RELEASE_DIGEST} in MLflow is not the digest that was recorded."
    ]
    found = moves.outside(registry, name, [])
    assert found == moves.settle(registry, name, []).outside == {"staging": 2, "champion": 1}


def test_no_server_is_unavailable_at_once(candidate: Candidate) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        register("http://127.0.0.1:9", candidate)
    with Mlflow("http://127.0.0.1:9") as client, pytest.raises(Unavailable):
        client.alias("wine", "champion")


def test_a_refused_call_says_what_mlflow_said(registry: Registry) -> None:
    with pytest.raises(BadInput, match="HTTP 404"):
        registry.set_alias("nothing", "champion", 1)


def test_a_prompt_is_registered_once_per_text(mlflow_url: str, candidate: Candidate) -> None:
    messages = [{"role": "system", "content": "Say {{refusal}}"}, {"role": "user", "content": "{{question}}"}]
    asked = candidate.model_copy(update={"release": "asked", "prompt": messages, "booster": None})
    client = MlflowClient(mlflow_url)
    made = [register(mlflow_url, asked.model_copy(update={"key": key})) for key in ("a1", "a2")]
    assert [client.get_run(one.run_id).data.tags["prompt"] for one in made] == ["prompts:/asked-prompt/1"] * 2
