"""/v1/models: the names that a request may give as its `model`."""

from typing import Any, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from bentos.assistant.models import Models, unknown
from bentos.kit.app import Handler, Operation, answer

ERRORS = (401, 403, 404, 429, 500, 503, 504)
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


class Model(BaseModel):
    """A model; `version` is the release's that answers under this name."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    version: str


class ModelList(BaseModel):
    """The version that serves first."""

    object: Literal["list"]
    data: list[Model]


def operations(models: Models) -> list[Operation]:
    one = "/v1/models/{id}"
    return [
        Operation("GET", "/v1/models", shown(models), "The models", "ask", "ModelList", errors=ERRORS, name="models"),
        Operation("GET", one, find(models), "A model", "ask", "Model", errors=ERRORS, name="model", parameters=[ID]),
    ]


def shown(models: Models) -> Handler:
    async def shown(_request: Request) -> Response:
        return answer({"object": "list", "data": await listed(models)})

    return shown


def find(models: Models) -> Handler:
    async def find(request: Request) -> Response:
        wanted = request.path_params["id"]
        found = [one for one in await listed(models) if one["id"] == wanted]
        if not found:
            raise unknown(wanted)
        return answer(found[0])

    return find


async def listed(models: Models) -> list[dict[str, Any]]:
    facts = {"object": "model", "created": int(models.desk.since), "owned_by": "penstock"}
    return [{"id": name, **facts, "version": version} for name, version in (await models.listed()).items()]
