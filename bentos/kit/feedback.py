"""`/feedback`: what was right, appended to the prediction log, where it joins on the tenant and the request id.

Unlike questions, its text is always kept: it is sent in order to be read."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import Response

from bentos.kit.bodies import parsed_object
from bentos.kit.desk import Desk
from bentos.kit.errors import Problem, unfit
from bentos.kit.keys import caller
from bentos.kit.types import Whole
from tasks.errors import BadInput
from tasks.watching.log import Record
from tasks.watching.targets import Target, target_of

SAID = {"label", "rating", "comment"}
Label = Annotated[str, Field(max_length=1000)] | float | bool


def _one_of_three(schema: dict[str, Any]) -> None:
    """Say in JSON Schema what `says_something` checks; None stands for `not given` and cannot be sent."""
    names = ("label", "rating", "comment")
    schema["anyOf"] = [{"required": [name]} for name in names]
    for name in names:
        schema["properties"][name].pop("default", None)


class Feedback(BaseModel):
    """About one answer: its right label, a rating, or a comment; at least one of them. It is logged as it is."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra=_one_of_three,
    )

    request_id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$", examples=["4f0c8a52d6e94b1f"])
    row: Annotated[int, Field(ge=0, le=1_000_000), Whole] = Field(0, description="Which row of a batch, from 0")
    label: Label = Field(None, description="What the answer should have been", examples=[1.0])  # type: ignore[assignment]
    rating: Annotated[int, Field(ge=-1, le=5), Whole] = Field(None, description="-1 to 5")  # type: ignore[assignment]
    comment: str = Field(None, max_length=4000)  # type: ignore[assignment]

    @model_validator(mode="after")
    def says_something(self) -> Self:
        if not self.model_fields_set & SAID:
            raise ValueError("give a label, a rating or a comment")
        return self


class Accepted(BaseModel):
    """The feedback is in the log."""

    request_id: str
    accepted: bool


def fitting(target: Target, label: Label) -> Any:
    """The label as the release answers. Problem 422: it cannot be the truth of any of its answers."""
    try:
        return target.checked(label)
    except BadInput:
        problem = f"this release takes {target.wanted}"
        details = [{"field": "label", "problem": problem, "type": "label"}]
        raise Problem(422, f"The body does not fit the release: label: {problem}.", details=details) from None


def feedback(desk: Desk[Any]) -> Callable[[Request], Awaitable[Response]]:
    async def handle_feedback(request: Request) -> Response:
        try:
            given = Feedback.model_validate(parsed_object(await request.body(), len(Feedback.model_fields)))
        except ValidationError as error:
            raise unfit(error) from None
        handle = desk.serving()
        key = caller(request.scope)
        told = given.model_dump(exclude={"request_id"}) | {"caller": key.name, "tenant": key.tenant}
        target = target_of(handle.release.output_schema)
        if target is not None and given.label is not None:
            told["label"] = fitting(target, given.label)
        release = handle.release.release
        record = Record("feedback", given.request_id, release, handle.version, "/feedback", **told)
        await desk.record([record])
        for said in given.model_fields_set & SAID:
            desk.metrics.feedback.labels(said, handle.version).inc()
        if desk.heard is not None:
            desk.heard(record)
        return Response(orjson.dumps({"request_id": given.request_id, "accepted": True}), media_type="application/json")

    return handle_feedback
