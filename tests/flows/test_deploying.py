"""Deployments: prefect.yaml fits flows and recipes; `penstock deploy` may be repeated and undoes nothing by hand."""

import importlib
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow, flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule

from flows import automations, deploying, servers
from flows.deploying import release_of
from flows.kinds import KINDS
from tasks.registry.recipes import load_recipe, release_names
from tasks.settings import ROOT, Settings, load
from tests.prefect_server import free_port

BOX = [ROOT / "data"]
DESCRIBED: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
OWN = {"kind": "tabular", "dataset": "loans", "target": "late", "task": "binary", "schedule": "15 6 * * *"}


def named(deployments: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {deployment["name"]: deployment for deployment in deployments}


# prefect.yaml


def test_names_are_unique() -> None:
    assert max(Counter(deployment["name"] for deployment in DESCRIBED).values()) == 1


@pytest.mark.parametrize("deployment", DESCRIBED, ids=lambda one: str(one["name"]))
def test_entrypoint_is_a_flow_that_takes_the_parameters(deployment: dict[str, Any]) -> None:
    module, _, name = deployment["entrypoint"].rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, Flow)
    parameters = deployment.get("parameters", {})
    if parameters:
        bound = found.validate_parameters(parameters)
        assert bound["order"].release == deployment["name"]
    assert set(parameters) <= set(found.parameters.properties)


def test_each_recipe_of_the_box_has_its_deployment_and_schedule() -> None:
    trained = {release_of(deployment): deployment for deployment in DESCRIBED if release_of(deployment)}
    assert sorted(map(str, trained)) == release_names(BOX)
    for release, deployment in trained.items():
        recipe = load_recipe(str(release), BOX)
        assert deployment["entrypoint"] == f"{KINDS[recipe['kind']].flow}.train"
        assert deployment.get("schedules", []) == deploying.schedules(recipe), (
            f"prefect.yaml and the recipe of {release}"
        )


# what is told to Prefect


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With a project that has a recipe of its own, and another wine-quality than the box, without a schedule."""
    recipes = tmp_path / "project" / "releases"
    recipes.mkdir(parents=True)
    (recipes / "loans.yaml").write_text(yaml.safe_dump(OWN))
    (recipes / "wine-quality.yaml").write_text(yaml.safe_dump({"kind": "tabular"}))
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    monkeypatch.setenv("PENSTOCK_PREFECT_PORT", str(free_port()))
    return load()


def test_own_recipes_are_described_as_those_of_the_box(settings: Settings) -> None:
    told = named(deploying.description(settings, set())["deployments"])
    own, ours = told["loans"], told["credit-risk"]
    assert own["parameters"] == {"order": {"release": "loans"}}
    assert own["schedules"] == [{"cron": "15 6 * * *", "timezone": "UTC", "slug": "recipe", "active": True}]
    same = ("entrypoint", "tags", "work_pool", "concurrency_limit")
    assert [own[key] for key in same] == [ours[key] for key in same]
    assert set(told) == {deployment["name"] for deployment in DESCRIBED} | {"loans"}


def test_the_recipe_in_force_gives_the_schedule(settings: Settings) -> None:
    assert named(DESCRIBED)["wine-quality"]["schedules"]
    assert named(deploying.description(settings, set())["deployments"])["wine-quality"]["schedules"] == []


def test_what_was_paused_stays_paused(settings: Settings) -> None:
    stopped: set[tuple[str, str | None]] = {("credit-risk", "recipe"), ("loans", "recipe"), ("credit-default", None)}
    told = named(deploying.description(settings, stopped)["deployments"])
    active = {name: [one["active"] for one in each.get("schedules", [])] for name, each in told.items()}
    assert (active["credit-risk"], active["loans"], active["credit-default"]) == ([False], [False], [True])
    assert [name for name, each in told.items() if each["paused"]] == ["credit-default"]


def test_an_assistant_is_trained_after_an_index_of_the_same_documents() -> None:
    index = {"name": "search", "kind": "documents", "dataset": "papers"}
    table = {"name": "loans", "kind": "tabular", "dataset": "papers"}
    (trigger,) = deploying.triggers({"name": "talk", "kind": "assistant", "dataset": "papers"}, [index, table])
    assert trigger["expect"] == ["prefect.flow-run.Completed"]
    assert trigger["match_related"] == {
        "prefect.resource.role": "deployment",
        "prefect.resource.name": ["search"],
    }
    other = {"name": "talk", "kind": "assistant", "dataset": "notes"}
    assert deploying.triggers(other, [index, table, other]) == []


# on a server


@flow
def nothing(order: dict[str, str]) -> None:
    """To be deployed only."""


def deployed(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    return next(one for one in client.read_deployments() if one.name == name)


def cron(text: str, slug: str | None, active: bool = True) -> DeploymentScheduleCreate:
    return DeploymentScheduleCreate(schedule=CronSchedule(cron=text), slug=slug, active=active)


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("prefect_server")
def test_pool_and_automation_are_made_once_and_left_as_they_are() -> None:
    name = "penstock: crash runs without a heartbeat"
    with get_client(sync_client=True) as client:
        for _ in range(2):
            deploying.make_pool(client)
            automations.crash_zombies()
        assert [pool.name for pool in client.read_work_pools()].count(servers.POOL) == 1
        (first,) = client.read_automations_by_name(name)
        client.pause_automation(first.id)
        automations.crash_zombies()
        (second,) = client.read_automations_by_name(name)
    assert (second.id, second.enabled) == (first.id, False)


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("prefect_server")
def test_a_schedule_that_left_its_recipe_goes_and_those_by_hand_stay() -> None:
    schedules = [cron("1 1 * * *", "recipe"), cron("2 2 * * *", None, active=False), cron("3 3 * * *", "mine")]
    described = {"deployments": [{"name": "kept", "schedules": [{}]}, {"name": "left", "schedules": []}]}
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(nothing)
        for name in ("kept", "left"):
            client.create_deployment(flow_id, name, schedules=schedules)
        for _ in range(2):
            deploying.settle_schedules(client, described)
        kept, left = deployed(client, "kept").schedules, deployed(client, "left").schedules
        stopped = deploying.paused(client)
    assert len(kept) == 3
    assert all(schedule.slug for schedule in kept)
    assert [schedule.schedule.cron for schedule in left if isinstance(schedule.schedule, CronSchedule)] == [
        "2 2 * * *",
        "3 3 * * *",
    ]
    assert {name for name, slug in stopped if str(slug).startswith("by-hand")} == {"kept", "left"}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_deploying_twice_changes_nothing_and_the_scheduler_works(whole_server: Settings) -> None:
    with get_client(sync_client=True) as client:
        deploying.deploy(whole_server)
        scheduled(client, "loans")
        before = {one.name: one for one in client.read_deployments()}
        client.pause_deployment(before["credit-risk"].id)
        client.update_deployment_schedule(before["loans"].id, before["loans"].schedules[0].id, active=False)
        assert set(deploying.deploy(whole_server)) == set(before)
        after = {one.name: one for one in client.read_deployments()}
        assert {name: one.id for name, one in after.items()} == {name: one.id for name, one in before.items()}
        for name, one in after.items():
            assert [each.id for each in one.schedules] == [each.id for each in before[name].schedules]
            assert one.paused == (name == "credit-risk")
        assert not after["loans"].schedules[0].active
        scheduled(client, "credit-default")
        upcoming = {run.deployment_id for run in client.read_flow_runs(limit=200)}
        assert not upcoming & {after[name].id for name in ("credit-risk", "loans")}, "nothing of what was paused"


def scheduled(client: SyncPrefectClient, name: str, patience: float = 60) -> None:
    """Waits for a run that the scheduler made."""
    wanted = FlowRunFilter.model_validate({"deployment_id": {"any_": [deployed(client, name).id]}})
    deadline = time.monotonic() + patience
    while not any(run.auto_scheduled for run in client.read_flow_runs(flow_run_filter=wanted)):
        assert time.monotonic() < deadline, "the scheduler makes no runs"
        time.sleep(0.2)
