"""Other versions beside the one that serves: by the registry, as far as the ledger admits them."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tasks.artifacts import file_sha256
from tasks.watching.log import Record, folder, read_all
from tests.bentos.assistant.conftest import ANSWER, ASKED, Models, Served, Start, write_assistant
from tests.bentos.conftest import listening
from tests.bentos.test_follow import until
from tests.bentos.test_predict import refused

OFFERED = ("champion", "base", "challenger", "v1", "v9")


@dataclass
class Registry:
    """The MLflow routes that a service uses; `admitted` are the aliases that the ledger had put on a version."""

    root: Path
    url: str = ""
    aliases: dict[str, int] = field(default_factory=dict)
    admitted: dict[int, list[str]] = field(default_factory=dict)

    def told(self, number: int) -> dict[str, Any]:
        tags = {"penstock.release_digest": file_sha256(self.root / f"v{number}" / "release.json")}
        tags |= {f"penstock.ledger.{alias}": "e" * 64 for alias in self.admitted[number]}
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        return {
            "model_version": {"name": "course-chat", "version": str(number), "run_id": f"r{number}", "tags": listed}
        }

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if path.endswith(("/registered-models/alias", "/model-versions/get")):
            named = self.aliases.get(query.get("alias", [""])[0])
            number = named or int(query.get("version", ["0"])[0])
            absent = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}
            known = number in self.admitted
            return (200, json.dumps(self.told(number)).encode()) if known else (404, json.dumps(absent).encode())
        if path.endswith("/runs/get"):
            uri = f"mlflow-artifacts:/1/{query['run_id'][0]}/artifacts"
            return 200, json.dumps({"run": {"info": {"artifact_uri": uri}}}).encode()
        number_text, _, name = path.partition("/artifacts/1/r")[2].partition("/artifacts/release/")
        return 200, (self.root / f"v{number_text}" / name).read_bytes()


@pytest.fixture
def registry(tmp_path: Path, shipped: Path, data_root: Path, models: Models) -> Iterator[Registry]:
    """v2 is the champion, v1 was it before, v3 challenges, v4 was never admitted."""
    told = Registry(tmp_path / "registry")
    for number, aliases in {1: ["champion"], 2: ["champion"], 3: ["challenger"], 4: []}.items():
        write_assistant(told.root / f"v{number}", shipped / "store", models, key=f"v{number}")
        told.admitted[number] = aliases
    told.aliases = {"champion": 2}

    with listening(told):
        yield told


@pytest.fixture
def following(start: Start, registry: Registry) -> Served:
    known = {"folder": None, "follow": "champion", "release": "course-chat", "mlflow_url": registry.url}
    return start(**known, models=OFFERED, poll_s=30.0)


def version(service: Served, name: str) -> str:
    return str(service.create(model=f"course-chat{name}", max_tokens=2).penstock["version"])


def test_versions_are_offered_by_setting_and_loaded_when_asked(following: Served, registry: Registry) -> None:
    registry.aliases["challenger"] = 3
    listed = {one.id: one.version for one in following.client.models.list().data}  # type: ignore[attr-defined]
    assert listed == {
        "course-chat": "2", "course-chat-base": "2-base", "course-chat-challenger": "3", "course-chat-v1": "1"
    }  # fmt: skip
    assert next(iter(listed)) == "course-chat"
    assert [version(following, name) for name in ("", "-v1", "-challenger", "-base")] == ["2", "1", "3", "2-base"]
    assert [version(following, name) for name in ("-v1", "")] == ["1", "2"]  # loaded anew: few stay
    body = {"model": "course-chat-v9", "messages": ASKED}
    refused(following.post("/v1/chat/completions", json=body), 404, "not_found")


def test_what_the_ledger_never_admitted_is_not_loaded(start: Start, registry: Registry) -> None:
    known = {"folder": None, "follow": "champion", "release": "course-chat", "mlflow_url": registry.url}
    service = start(**known, models=("champion", "v4"))
    answer = service.post("/v1/chat/completions", json={"model": "course-chat-v4", "messages": ASKED})
    assert "alias outside ledger" in refused(answer, 409, "refused")["message"]
    assert version(service, "") == "2"


def test_the_champion_is_swapped_and_its_old_number_still_answers(start: Start, registry: Registry) -> None:
    known = {"folder": None, "follow": "champion", "release": "course-chat", "mlflow_url": registry.url}
    service = start(**known, models=("champion", "v2"))
    assert version(service, "-v2") == "2" and not service.desk.lent
    registry.aliases["champion"] = 1
    until(lambda: version(service, "") == "1")
    assert version(service, "-v2") == "2"
    assert service.desk.lent == {service.desk.downloads("course-chat", "2")}


def test_a_version_that_becomes_the_champion_is_not_kept_twice(start: Start, registry: Registry) -> None:
    known = {"folder": None, "follow": "champion", "release": "course-chat", "mlflow_url": registry.url}
    service = start(**known, models=("champion", "v3"))
    assert version(service, "-v3") == "3"
    assert service.desk.lent == {service.desk.downloads("course-chat", "3")}
    registry.admitted[3].append("champion")
    registry.aliases["champion"] = 3
    until(lambda: version(service, "") == "3")
    assert not service.desk.lent and version(service, "-v3") == "3"


def test_a_challenger_that_is_none_any_more_is_closed(
    following: Served, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bentos.assistant.models.FRESH_S", 0.0)
    registry.admitted[1].append("challenger")
    for number in (1, 3):
        registry.aliases["challenger"] = number
        assert version(following, "-challenger") == str(number)
        assert following.desk.lent == {following.desk.downloads("course-chat", str(number))}
    del registry.aliases["challenger"]
    body = {"model": "course-chat-challenger", "messages": ASKED}
    refused(following.post("/v1/chat/completions", json=body), 404, "not_found")
    assert not following.desk.lent


def test_a_model_that_the_store_lacks_is_told_and_awaited(
    start: Start, registry: Registry, data_root: Path, shipped: Path
) -> None:
    merged = json.loads((registry.root / "v2" / "release.json").read_bytes())["merged"]["uri"]
    shutil.rmtree(data_root / "store" / merged)
    known = {"folder": None, "follow": "champion", "release": "course-chat", "mlflow_url": registry.url}
    service = start(**known)
    ready = service.get("/ready")
    (reason,) = ready.json()["reasons"]
    assert ready.status_code == 503 and reason["message"].startswith("champion cannot be followed")
    assert f"needs {merged}" in reason["message"] and "set PENSTOCK_ARTIFACTS" in reason["message"]
    shutil.copytree(shipped / "store" / merged, data_root / "store" / merged)
    until(lambda: service.get("/ready").json()["status"] == "ready")
    assert version(service, "") == "2"


def test_folders_in_use_are_kept(following: Served, registry: Registry) -> None:
    registry.aliases["challenger"] = 3
    version(following, "-v1")
    follower = following.desk.serving().folder.parent
    for number in (5, 6, 7):
        shutil.copytree(follower / "v1", follower / f"v{number}")
    version(following, "-challenger")
    assert {"v1", "v2", "v3"} <= {path.name for path in follower.iterdir()}


@pytest.mark.slow
def test_a_challengers_text_is_not_logged(start: Start, registry: Registry, data_root: Path) -> None:
    known = {"folder": None, "follow": "champion", "release": "course-chat", "mlflow_url": registry.url}
    service = start(**known)
    registry.aliases["challenger"] = 3
    until(lambda: service.get("/info").json()["shadow"] == "3", 60)
    number = service.create()._request_id
    service.create(model="course-chat-base", max_tokens=2)  # of no use to the challenger

    def shadowed() -> list[Record]:
        return [one for one in read_all(folder(data_root, "course-chat")) if one.kind == "shadow"]

    (found,) = until(shadowed, 20)
    assert (found.request_id, found.version, found.inputs) == (number, "3", None)
    assert found.output == {"answer_chars": len(ANSWER)}
