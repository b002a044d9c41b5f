"""Questions to a person in the Prefect UI: the run of a deployment is suspended, and starts anew with the answer."""

import time
from typing import TypeVar

from prefect.events import emit_event
from prefect.exceptions import Pause
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run

WAITS = "penstock.flow-run.waits"
SETTLED_S = 3.0  # the server takes events that come at one time in any order: this one must come after all heartbeats
DAY = 86_400

Form = TypeVar("Form", bound=RunInput)


def asked(form: type[Form], key: str, days: int) -> Form:
    """The answer, in the run that follows it; this one ends here. Each question of a run has a `key` of its own."""
    try:
        return suspend_flow_run(wait_for_input=form, timeout=days * DAY, key=key)
    except Pause:
        time.sleep(SETTLED_S)
        emit_event(WAITS, {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}"})
        raise
