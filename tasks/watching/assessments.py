"""What people and judges say of an answer, attached to its trace in MLflow, whose id follows from the request's."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tasks.artifacts import canonical, sha256
from tasks.registry.rest import Mlflow
from tasks.watching.log import Record

ABSENT = ("RESOURCE_DOES_NOT_EXIST",)


def trace_number(tenant: str, request_id: str) -> int:
    """Request ids come from outside: a tenant that takes another's gets a trace of its own."""
    return int(sha256(canonical([tenant, request_id]))[:32], 16)


def attach(mlflow: Mlflow, tenant: str, request_id: str, assessments: Sequence[dict[str, Any]]) -> None:
    """A trace that MLflow does not have is no error: only a share is traced."""
    trace = f"tr-{trace_number(tenant, request_id):032x}"
    for one in assessments:
        mlflow.call("POST", f"traces/{trace}/assessments", {"assessment": {"trace_id": trace} | one}, ABSENT, api="3.0")


def of_feedback(told: Record) -> list[dict[str, Any]]:
    """Feedback as MLflow keeps it: -1 and 1 are thumbs, a label is what was expected."""
    facts = _facts("HUMAN", told.caller or "anyone", told.comment)
    found = []
    if told.rating is not None:
        value = told.rating > 0 if told.rating in (-1, 1) else told.rating
        found.append({"assessment_name": "user_rating", "feedback": {"value": value}})
    if told.label is not None:
        found.append({"assessment_name": "expected_response", "expectation": {"value": told.label}})
    if told.comment is not None and not found:
        found.append({"assessment_name": "user_comment", "feedback": {"value": told.comment}})
    return [facts | one for one in found]


def of_judge(name: str, value: bool, judge: str) -> list[dict[str, Any]]:
    return [_facts("LLM_JUDGE", judge, None) | {"assessment_name": name, "feedback": {"value": value}}]


def _facts(kind: str, who: str, why: str | None) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    facts: dict[str, Any] = {"source": {"source_type": kind, "source_id": who}}
    return facts | {"create_time": now, "last_update_time": now} | ({} if why is None else {"rationale": why})
