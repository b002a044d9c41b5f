"""`penstock deploy`: work pool and the deployments of prefect.yaml and of the user's own recipes."""

import subprocess
import sys
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound

from flows.automations import crash_zombies
from flows.kinds import KINDS
from flows.servers import POOL, environment
from tasks.errors import Refused
from tasks.registry.recipes import load_recipe, release_names
from tasks.settings import ROOT, Settings

SLUG = "recipe"  # marks the schedule that the recipe gives, beside those that somebody added in the UI


def deploy(settings: Settings) -> list[str]:
    """Create or update everything; a second call changes nothing. Returns the names of the deployments."""
    with get_client(sync_client=True) as client:
        make_pool(client)
        described = description(settings, paused(client))
        settle_schedules(client, described)
    crash_zombies()
    path = settings.root / "prefect.yaml"
    path.write_text(yaml.safe_dump(described, sort_keys=False))
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
    env = environment(settings) | {"PENSTOCK_CHECKOUT": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"`prefect deploy` failed; its last words: {(done.stdout + done.stderr).strip()[-800:]}")
    return [deployment["name"] for deployment in described["deployments"]]


def make_pool(client: SyncPrefectClient) -> None:
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


def description(settings: Settings, stopped: set[tuple[str, str | None]]) -> dict[str, Any]:
    """prefect.yaml with the user's own recipes added, every schedule as its recipe has it, and what somebody paused
    left paused."""
    told: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    trained = {release_of(deployment): deployment for deployment in told["deployments"] if release_of(deployment)}
    recipes = [load_recipe(release, settings.folders) for release in release_names(settings.folders)]
    for recipe in recipes:
        made = {"schedules": schedules(recipe), "triggers": triggers(recipe, recipes)}
        if recipe["name"] in trained:
            trained[recipe["name"]] |= made
        else:
            told["deployments"].append(entry(recipe) | made)
    for deployment in told["deployments"]:
        deployment["paused"] = (deployment["name"], None) in stopped
        for schedule in deployment.get("schedules", []):
            schedule["active"] = schedule["active"] and (deployment["name"], schedule["slug"]) not in stopped
    return told


def release_of(deployment: dict[str, Any]) -> str | None:
    """The release that a described deployment trains."""
    release: str | None = deployment.get("parameters", {}).get("order", {}).get("release")
    return release


def schedules(recipe: dict[str, Any]) -> list[dict[str, Any]]:
    cron = recipe.get("schedule")
    return [{"cron": cron, "timezone": "UTC", "slug": SLUG, "active": True}] if cron else []


def entry(recipe: dict[str, Any]) -> dict[str, Any]:
    """The deployment of a recipe that prefect.yaml does not name."""
    return {
        "name": recipe["name"],
        "entrypoint": f"{KINDS[recipe['kind']].flow}.train",
        "parameters": {"order": {"release": recipe["name"]}},
        "tags": ["train", recipe["kind"]],
        "work_pool": {"name": POOL, "work_queue_name": "default"},
        "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"},
    }


def triggers(recipe: dict[str, Any], recipes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A document that somebody uploads to the service, or deletes, starts the flow of its index; and that, when it is
    done, the flow of an assistant that learns from the same documents."""
    if recipe["kind"] == "documents":
        source = {"prefect.resource.id": f"penstock.dataset.{recipe['dataset']}"}
        events = ["penstock.documents.uploaded", "penstock.documents.deleted"]
        return [{"type": "event", "expect": events, "match": source}]
    same = [one for one in recipes if one["kind"] == "documents" and one.get("dataset") == recipe.get("dataset")]
    if recipe["kind"] != "assistant" or not same:
        return []
    related = {"prefect.resource.role": "deployment", "prefect.resource.name": [one["name"] for one in same]}
    match = {"prefect.resource.id": "prefect.flow-run.*"}
    return [{"type": "event", "expect": ["prefect.flow-run.Completed"], "match": match, "match_related": related}]


def paused(client: SyncPrefectClient) -> set[tuple[str, str | None]]:
    """Deployment and slug of every schedule that somebody paused; None for the slug: the deployment as a whole."""
    deployments = client.read_deployments()
    stopped = {(one.name, each.slug) for one in deployments for each in one.schedules if each.slug and not each.active}
    return stopped | {(one.name, None) for one in deployments if one.paused}


def settle_schedules(client: SyncPrefectClient, described: dict[str, Any]) -> None:
    """What `prefect deploy` would do wrong: it keeps a schedule that left the recipe, and where one has no slug (added
    in the UI, say) it drops them all and makes its own anew."""
    scheduled = {deployment["name"] for deployment in described["deployments"] if deployment.get("schedules")}
    for deployment in client.read_deployments():
        for schedule in deployment.schedules:
            if schedule.slug is None:
                client.update_deployment_schedule(deployment.id, schedule.id, slug=f"by-hand-{schedule.id}")
            elif schedule.slug == SLUG and deployment.name not in scheduled:
                client.delete_deployment_schedule(deployment.id, schedule.id)
