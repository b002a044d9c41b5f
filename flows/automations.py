"""Automations on the Prefect server: they act where the process of a run was killed and cannot say anything itself."""

from collections.abc import Sequence
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.notifications import SlackWebhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture
from pydantic import SecretStr

from flows.alerting import receivers, urls
from flows.asking import WAITS
from tasks.settings import Settings

SILENCE = timedelta(seconds=120)  # without a heartbeat (one every 30 s) a run then counts as crashed
SUSPENDED = ("Suspended", "Paused")  # for a person's answer: their process has ended as it should
ENDS = ("Completed", "Failed", "TimedOut", "Cancelled", "Crashed")
BLOCK = "penstock-alerts-"  # and a number: one block for each receiver
RUN = "{{ deployment.name or flow.name }}/{{ flow_run.name }}"
PAGE = "Run: {{ flow_run|ui_url }}"
RUN = "{{ deployment.name or flow.name }}/{{ flow_run.name }}"
PAGE = "Run: {{ flow_run|ui_url }}"


def crash_zombies() -> None:
    """A run whose process and worker were killed is marked Crashed: Prefect has no service that would notice."""
    trigger = missing("heartbeat", ("heartbeat", *SUSPENDED, *ENDS), SILENCE)
    trigger.expect.add(WAITS)
    actions = [ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message="heartbeats stopped")]
    declare("penstock: crash runs without a heartbeat", trigger, actions)


def tell_of_runs(settings: Settings) -> str:
    """Make the server tell the receivers of PENSTOCK_ALERTS of runs that fail, are late or take too long.

    Returns a sentence about it. BadInput: a receiver's URL is none."""
    receivers(settings)
    to = urls(settings)
    blocks = [  # this type takes any Apprise URL
        SlackWebhook(url=SecretStr(url), notify_type="warning").save(f"{BLOCK}{number}", overwrite=True)
        for number, url in enumerate(to, start=1)
    ]
    with get_client(sync_client=True) as client:
        for kind, (trigger, cause, remedy) in told(settings).items():
            name, body = f"penstock: tell of a {kind}", f"{cause}\n{PAGE}\n{remedy}"
            if to:
                said = {"subject": f"{kind}: {RUN}", "body": body}
                declare(name, trigger, [SendNotification(block_document_id=one, **said) for one in blocks])
            else:
                remove(client, name)
        clear_blocks(client, len(to))
    if not to:
        return "alerts: none are sent, since PENSTOCK_ALERTS is not set"
    return f"alerts: runs that fail, are late or take too long are told to {len(to)} receiver(s)"


def told(settings: Settings) -> dict[str, tuple[EventTrigger, str, str]]:
    """What is told of runs: when, why, and what to do."""
    late, long = timedelta(minutes=settings.late_after), timedelta(minutes=settings.long_after)
    return {
        "failed run": (
            failing(),
            "{{ flow_run.state.name }}: {{ flow_run.state.message }}",
            "Read its log there and mend the cause. The next run finds what this one computed.",
        ),
        "late run": (
            missing("Late", ("Pending", "Running", "AwaitingConcurrencySlot", *ENDS), late),
            f"No worker has taken it for {settings.late_after:g} minutes.",
            "`penstock status` shows whether the worker runs, `penstock up` starts it.",
        ),
        "long run": (
            missing("Running", (*SUSPENDED, *ENDS), long),
            f"It has been running for {settings.long_after:g} minutes.",
            "Read its log there; if it hangs, cancel it there. PENSTOCK_LONG_AFTER is the bound.",
        ),
    }


def failing() -> EventTrigger:
    expect = {f"prefect.flow-run.{end}" for end in ("Failed", "TimedOut", "Crashed")}
    match, each = {"prefect.resource.id": "prefect.flow-run.*"}, {"prefect.resource.id"}
    return EventTrigger(expect=expect, match=match, for_each=each, posture=Posture.Reactive, threshold=1)


def missing(after: str, expect: Sequence[str], within: timedelta) -> EventTrigger:
    """Fires for a run where none of the expected events comes within some time after another."""
    return EventTrigger(
        posture=Posture.Proactive,
        after={f"prefect.flow-run.{after}"},
        expect={f"prefect.flow-run.{one}" for one in expect},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        threshold=1,
        within=within,
    )


def declare(name: str, trigger: EventTrigger, actions: Sequence[ActionTypes]) -> None:
    """Create the automation, or update it where it differs (that restarts its clocks); one paused by hand stays so."""
    automation = Automation(name=name, trigger=trigger, actions=list(actions))
    try:
        known: Automation = Automation.read(name=name)  # type: ignore[assignment]  # sync here
    except ValueError:
        automation.create()
        return
    same = {"trigger", "actions"}
    if known.model_dump(include=same) != automation.model_dump(include=same):
        automation.id, automation.enabled = known.id, known.enabled
        automation.update()


def remove(client: SyncPrefectClient, name: str) -> None:
    for known in client.read_automations_by_name(name):
        client.delete_automation(known.id)


def clear_blocks(client: SyncPrefectClient, kept: int) -> None:
    """Remove the blocks of receivers that left the setting: they hold a secret."""
    for block in client.read_block_documents_by_type("slack-webhook"):
        number = str(block.name).removeprefix(BLOCK)
        if number.isdigit() and int(number) > kept:
            client.delete_block_document(block.id)
