"""What a flow says while it runs, and what it leaves when it is done."""

import logging
from uuid import UUID

from prefect.runtime import flow_run

from flows.kinds import KINDS
from flows.orders import Prepared
from tasks.artifacts import Store
from tasks.caching import steps_of
from tasks.planning import Receipt, Step, closure
from tasks.registry import records
from tasks.registry.road import Outcome

logger = logging.getLogger("penstock.flows")


def say(*lines: object) -> None:
    """Progress for the console and the run's page."""
    logging.getLogger("penstock").setLevel(logging.INFO)  # a worker's run has no console that asks for it
    for line in lines:
        logger.info("%s", line)


def leave_receipt(store: Store, prepared: Prepared, outcome: Outcome) -> None:
    """With this, the next run with the same order need not start (see tasks/planning.py)."""
    verdict = outcome.decision.verdict if outcome.decision else None
    receipt = Receipt(
        conditions=prepared.conditions,
        code=closure(KINDS[prepared.recipe.kind].flow),
        steps=[*steps_of(UUID(flow_run.id)), *kept(store, prepared.order.release, outcome.version)],
        outcome={"version": outcome.version, "state": outcome.state, "verdict": verdict},
    )
    store.write(prepared.receipt, receipt.model_dump_json(indent=1).encode())


def kept(store: Store, release: str, version: int | None) -> list[Step]:
    """The version's own folder, which no step makes again where the version was found: gone, it must be fetched."""
    if version is None:
        return []
    record = records.version(store, release, version)
    return [Step(task="register", module=__name__, key=record.key, code={}, inputs={}, artifacts=[record.folder])]
