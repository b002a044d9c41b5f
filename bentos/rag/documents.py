"""/v1/documents: uploads in, the shelf out. What is uploaded is answered from by the version that is trained next."""

import shlex
from typing import Any, Literal

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from bentos.kit.app import Handler, Operation, answer
from bentos.kit.desk import Desk
from bentos.kit.errors import Problem
from bentos.kit.handle import Handle
from bentos.kit.keys import caller
from bentos.kit.queries import whole
from bentos.rag import events
from bentos.rag.access import Tenants, sees, tenants
from bentos.rag.events import Prefect
from bentos.rag.model import Rag
from bentos.rag.schemas import Known
from bentos.rag.sniffing import sniffed
from bentos.rag.withheld import Withheld
from tasks.artifacts import Store, store_at
from tasks.documents import uploads
from tasks.documents.uploads import Upload
from tasks.errors import NotFound, Refused

MOST = 1000
FARTHEST = 10**9
WAITING = "It is answered from as soon as a version that holds it serves."
GONE = (
    "No answer rests on it any more, and the next version does not hold it. Its bytes stay in the artifact store: "
    "`penstock forget {} {}` removes them."
)
NO_STORE = (
    "This image of a release has no artifact store that trainings read, so an upload would lead nowhere; set "
    "PENSTOCK_ARTIFACTS to the store of the trainings."
)
BINARY = {"type": "string", "format": "binary"}
FORM = {"type": "object", "required": ["file"], "properties": {"file": BINARY}}
TAKES = {
    "multipart/form-data": FORM,
    "application/pdf": BINARY,
    "text/plain": BINARY,
    "application/octet-stream": BINARY,
}
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
NAME = {"name": "name", "in": "query", "schema": {"type": "string"}, "description": "Of a body that is no form"}
LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST}}
OFFSET = {"name": "offset", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": FARTHEST}}
READING = (401, 403, 404, 422, 429, 500, 503, 504)
SENDING = (400, 401, 403, 409, 413, 415, 422, 429, 500, 503, 504)


def operations(desk: Desk[Rag], withheld: Withheld) -> list[Operation]:
    scope, one, prefect = "documents", "/v1/documents/{id}", Prefect()
    return [
        Operation(
            "POST", "/v1/documents", upload(desk, withheld, prefect), "Add a document", scope, "Known",
            errors=SENDING, name="add_document", status=202, parameters=[NAME], takes=TAKES, upload=True,
        ),
        Operation(
            "GET", "/v1/documents", shelf(desk, prefect), "The documents", scope, "Shelf",
            errors=READING, name="documents", parameters=[LIMIT, OFFSET],
        ),
        Operation(
            "GET", one, status(desk, prefect), "What became of an upload", scope, "Known",
            errors=READING, name="document", parameters=[ID],
        ),
        Operation(
            "DELETE", one, delete(desk, withheld, prefect), "Take an upload out", scope, "Known",
            errors=READING, name="delete_document", parameters=[ID],
        ),
    ]  # fmt: skip


def upload(desk: Desk[Rag], withheld: Withheld, prefect: Prefect) -> Handler:
    async def upload(request: Request) -> Response:
        if not desk.config.takes_uploads:
            raise Refused(NO_STORE)
        name, data = await received(request)
        if len(data) > desk.config.max_upload_bytes:
            raise Problem(413, f"The document is larger than {desk.config.max_upload_bytes} bytes; split it.")
        await desk.apart(sniffed, data, name)
        with desk.serving() as handle:
            dataset, tenant = handle.model.dataset, caller(request.scope).tenant
            taken = await desk.apart(uploads.add, store_at(desk.config.store), dataset, name, data, tenant)
            withheld.stale()
            problem = await announced(desk, prefect, handle, events.UPLOADED, taken)
            told = known(taken, handle.model) | {"note": problem or WAITING}
        return answer(told, 202)

    return upload


async def received(request: Request) -> tuple[str, bytes]:
    """Name and bytes of the one file in a form, or of a body with its name in the query or in X-Filename."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        name = request.query_params.get("name") or request.headers.get("x-filename", "")
        if not name:
            raise Problem(
                422, "Name the document: /v1/documents?name=report.pdf, or send a form with the field `file`."
            )
        return name, await request.body()
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise Problem(422, "The form has no file; send one in the field `file`.")
        return file.filename, await file.read()


def shelf(desk: Desk[Rag], prefect: Prefect) -> Handler:
    async def shelf(request: Request) -> Response:
        limit, offset = whole(request, "limit", 100, 1, MOST), whole(request, "offset", 0, 0, FARTHEST)
        with desk.serving() as handle:
            found = await desk.apart(documents, store_at(desk.config.store), handle.model, tenants(desk, request))
            part = found[offset : offset + limit]
            await hinted(desk, prefect, handle, part)
        return answer({"documents": part, "total": len(found), "version": handle.version})

    return shelf


def documents(store: Store, model: Rag, who: Tenants) -> list[dict[str, Any]]:
    """What the caller may see: uploads with their state, and the indexed documents beside them."""
    groups = [None] if who is None else who
    taken = [one for tenant in groups for one in uploads.listed(store, model.dataset, tenant)]
    deleted, gone = uploads.withdrawn(store, model.dataset), uploads.forgotten(store, model.dataset)
    found = {
        path: indexed(path, model)
        for path, one in model.shelf.items()
        if sees(who, one.tenant) and not deleted.holds(path, one.revision) and not gone.holds(path, one.revision)
    }
    found |= {one.path: known(one, model) for one in taken if not gone.holds(one.path, one.digest)}
    return [found[path] for path in sorted(found)]


def indexed(path: str, model: Rag) -> dict[str, Any]:
    """A document that the index holds."""
    one = model.shelf[path]
    name = path.rpartition("/")[2]
    facts = {"title": one.title, "pages": one.pages, "chunks": one.chunks, "tenant": one.tenant}
    return Known(path=path, name=name, status="indexed", **facts).model_dump()


def known(one: Upload, model: Rag) -> dict[str, Any]:
    """An upload; `indexed` where the version that answers here holds this very revision."""
    facts = model.shelf.get(one.path)
    held = facts is not None and facts.revision == one.digest
    state: Literal["pending", "indexed", "failed"] = "indexed" if held else "pending"
    if not held and one.status == "failed":
        state = "failed"
    more = {"title": facts.title, "pages": facts.pages, "chunks": facts.chunks} if facts and held else {}
    return Known(
        id=one.id, path=one.path, name=one.name, status=state, uploaded=True, size=one.size, tenant=one.tenant,
        reason=one.reason if state == "failed" else None, note=WAITING if state == "pending" else None, **more,
    ).model_dump()  # fmt: skip


async def hinted(desk: Desk[Rag], prefect: Prefect, handle: Handle[Rag], told: list[dict[str, Any]]) -> None:
    """Say of what waits where it waits for nothing."""
    waiting = [one for one in told if one["status"] == "pending"]
    if waiting and (problem := await prefect.waiting(desk.config, handle.release.release)):
        for one in waiting:
            one["note"] = problem


def status(desk: Desk[Rag], prefect: Prefect) -> Handler:
    async def status(request: Request) -> Response:
        with desk.serving() as handle:
            store, model = store_at(desk.config.store), handle.model
            one = await desk.apart(visible, store, model.dataset, request.path_params["id"], tenants(desk, request))
            told = known(one, model)
            await hinted(desk, prefect, handle, [told])
        return answer(told)

    return status


def visible(store: Store, dataset: str, id: str, who: Tenants) -> Upload:
    """The upload, the caller's own or everybody's; NotFound otherwise."""
    groups: list[str | None] = [None] if who is None else [*who]
    for tenant in groups[:-1]:
        try:
            return uploads.find(store, dataset, id, tenant)
        except NotFound:
            continue
    return uploads.find(store, dataset, id, groups[-1])


def delete(desk: Desk[Rag], withheld: Withheld, prefect: Prefect) -> Handler:
    """Only a key of the document's own tenant may take it out."""

    async def delete(request: Request) -> Response:
        own = caller(request.scope).tenant if desk.config.keys else None
        with desk.serving() as handle:
            store, model = store_at(desk.config.store), handle.model
            one = await desk.apart(uploads.delete, store, model.dataset, request.path_params["id"], own)
            withheld.withdraw(one.path)
            problem = await announced(desk, prefect, handle, events.DELETED, one)
            gone = GONE.format(handle.release.release, shlex.quote(one.path))
            told = known(one, model) | {"status": "deleted", "note": f"{gone} {problem}" if problem else gone}
        return answer(told)

    return delete


async def announced(desk: Desk[Rag], prefect: Prefect, handle: Handle[Rag], event: str, one: Upload) -> str | None:
    """Tell Prefect; a sentence for the caller where nothing will come of it."""
    payload = {"id": one.id, "path": one.path, "digest": one.digest, "tenant": one.tenant}
    return await prefect.announce(desk.config, event, handle.model.dataset, handle.release.release, payload)
