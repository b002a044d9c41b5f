"""Alerts about runs: declared once, and sent by the server itself, whoever is dead by then."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events import Event, Resource
from prefect.events.schemas.automations import Automation
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Crashed, Running, Suspended

from flows import automations, deploying
from flows.automations import BLOCK, tell_of_runs
from flows.servers import POOL
from tasks.errors import BadInput
from tasks.settings import Settings, load
from tests.prefect_server import free_port
from tests.receivers import Receiver, receiving

NAMES = [f"penstock: tell of a {kind}" for kind in ("failed run", "late run", "long run")]


def known(client: SyncPrefectClient) -> list[Automation]:
    return [one for name in NAMES for one in client.read_automations_by_name(name)]


def blocks(client: SyncPrefectClient) -> list[str]:
    found = client.read_block_documents_by_type("slack-webhook")
    return sorted(str(one.name) for one in found if str(one.name).startswith(BLOCK))


@pytest.mark.usefixtures("prefect_server")
def test_automations_follow_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with get_client(sync_client=True) as client:
        monkeypatch.setenv("PENSTOCK_ALERTS", "json://127.0.0.1:9/a,json://127.0.0.1:9/b")
        assert "2 receiver(s)" in tell_of_runs(load())
        first = known(client)
        assert [(one.name, len(one.actions)) for one in first] == [(name, 2) for name in NAMES]
        assert blocks(client) == [f"{BLOCK}1", f"{BLOCK}2"]

        client.pause_automation(first[0].id)
        tell_of_runs(load())
        again = known(client)
        assert [one.id for one in again] == [one.id for one in first], "declared again, and there once"
        assert [one.enabled for one in again] == [False, True, True]

        monkeypatch.setenv("PENSTOCK_ALERTS", "json://127.0.0.1:9/c")
        monkeypatch.setenv("PENSTOCK_LATE_AFTER", "3")
        tell_of_runs(load())
        changed = known(client)
        assert [(one.id, len(one.actions)) for one in changed] == [(one.id, 1) for one in first]
        assert changed[1].trigger.model_dump()["within"].total_seconds() == 180
        assert blocks(client) == [f"{BLOCK}1"]

        monkeypatch.delenv("PENSTOCK_ALERTS")
        assert "PENSTOCK_ALERTS is not set" in tell_of_runs(load())
        assert (known(client), blocks(client)) == ([], [])


@pytest.mark.usefixtures("prefect_server")
def test_nothing_is_declared_for_a_url_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_ALERTS", "no such thing")
    with pytest.raises(BadInput, match="URL number 1 of PENSTOCK_ALERTS"):
        tell_of_runs(load())
    with get_client(sync_client=True) as client:
        assert (known(client), blocks(client)) == ([], [])


# they arrive


@flow(name="sort", flow_run_name="sort")
def nothing() -> None:
    """To be deployed only."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as told:
        yield told


@pytest.fixture
def settings(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PENSTOCK_PREFECT_PORT", str(free_port()))
    monkeypatch.setenv("PENSTOCK_ALERTS", receiver.url)
    monkeypatch.setenv("PENSTOCK_LATE_AFTER", "0.2")
    monkeypatch.setenv("PENSTOCK_LONG_AFTER", "0.2")
    monkeypatch.setenv("PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS", "1")
    return load()


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_failed_late_and_long_runs_are_told(whole_server: Settings, receiver: Receiver) -> None:
    tell_of_runs(whole_server)
    with get_client(sync_client=True) as client:
        deploying.make_pool(client)
        deployment = client.create_deployment(client.create_flow(nothing), "nightly", work_pool_name=POOL)

        def run(name: str, *states: Any) -> str:
            made = client.create_flow_run_from_deployment(deployment, name=name)
            for state in states:
                client.set_flow_run_state(made.id, state, force=True)
            return f"flow-run/{made.id}"

        killed = run("killed", Running(), Crashed(message="Process exited with status code: -9"))
        hanging = run("hanging", Running())
        waiting = run("waiting")
        run("swift", Running(), Completed())
    failed, late, long = (receiver.waited(f"{kind} run: nightly/", 60) for kind in ("failed", "late", "long"))
    assert failed["title"] == "failed run: nightly/killed"
    assert "Crashed: Process exited with status code: -9" in failed["message"]
    assert late["title"] == "late run: nightly/waiting"
    assert "`penstock up` starts it" in late["message"]
    assert long["title"] == "long run: nightly/hanging"
    for told, page in ((failed, killed), (late, waiting), (long, hanging)):
        assert f"Run: {whole_server.local_prefect.removesuffix('/api')}" in told["message"]
        assert page in told["message"]
    assert len(receiver.taken) == 3


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_run_that_waits_for_an_answer_is_not_taken_for_dead(
    whole_server: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automations, "SILENCE", timedelta(seconds=10))
    automations.crash_zombies()
    with temporary_settings({PREFECT_API_URL: whole_server.local_prefect}), get_client(sync_client=True) as client:
        runs = [client.create_flow_run(nothing, state=Running()) for _ in range(2)]
        for one in runs:
            resource = Resource.model_validate({"prefect.resource.id": f"prefect.flow-run.{one.id}"})
            event = Event(event="prefect.flow-run.heartbeat", resource=resource).model_dump(mode="json")
            # not by emit_event: a process keeps to the server that it told first
            httpx.post(f"{whole_server.local_prefect}/events", json=[event], trust_env=False).raise_for_status()
        client.set_flow_run_state(runs[1].id, Suspended(timeout_seconds=600), force=True)
        deadline = time.monotonic() + 60
        while client.read_flow_run(runs[0].id).state_name != "Crashed":
            assert time.monotonic() < deadline, "the dead run was not found"
            time.sleep(0.5)
        time.sleep(2)
        assert client.read_flow_run(runs[1].id).state_name == "Suspended"
