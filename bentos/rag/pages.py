"""/v1/pages: the image of a cited page."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bentos.kit.app import Handler, Operation
from bentos.kit.desk import Desk
from bentos.kit.errors import Problem
from bentos.kit.handle import Handle
from bentos.rag.access import sees, tenants
from bentos.rag.model import Rag
from bentos.rag.withheld import Withheld
from tasks.errors import NotFound

IMAGES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/webp": b"RIFF", "image/jpeg": b"\xff\xd8\xff"}
NUMBER = re.compile(r"[1-9][0-9]{0,6}")
HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, X-API-Key, Authorization",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
PARAMETERS: list[dict[str, Any]] = [
    {"name": "document", "in": "query", "required": True, "schema": {"type": "string", "minLength": 1}},
    {
        "name": "page",
        "in": "query",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "maximum": 9_999_999},
    },
]


def operations(desk: Desk[Rag], withheld: Withheld) -> list[Operation]:
    gives = {media: {"type": "string", "format": "binary"} for media in IMAGES}
    errors = (401, 403, 404, 422, 429, 500, 503, 504)
    found = show(desk, withheld)
    return [
        Operation(
            "GET", "/v1/pages", found, "The image of a cited page", "ask", "",
            errors=errors, parameters=PARAMETERS, gives=gives,
        )
    ]  # fmt: skip


def show(desk: Desk[Rag], withheld: Withheld) -> Handler:
    async def show(request: Request) -> Response:
        document, page = request.query_params.get("document", ""), request.query_params.get("page", "")
        if not document or not NUMBER.fullmatch(page):
            raise Problem(422, "Name a document and a page from 1 on: /v1/pages?document=guide.pdf&page=1.")
        with shown_by(desk, document) as handle:
            known = handle.model.shelf.get(document)
            hidden = known is None or not sees(tenants(desk, request), known.tenant)
            if hidden or document in await withheld.paths(handle.model):
                raise NotFound(f"There is no document {document[:200]!r}; see /v1/documents.")
            data, media, digest = await desk.apart(picture, handle.model, document, int(page))
        headers = HEADERS | {"ETag": f'"{digest}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=media)

    return show


def shown_by(desk: Desk[Rag], document: str) -> Handle[Rag]:
    """The version that serves, or the trial where it alone knows the document: its answers cite it, too."""
    serving = desk.serving()
    if desk.split is not None and document not in serving.model.shelf:
        return desk.split.handle
    return serving


def picture(model: Rag, document: str, page: int) -> tuple[bytes, str, str]:
    """Bytes, media type and digest; the type is told by the bytes: nothing but an image is given out."""
    path, digest = model.image(document, page)
    data = path.read_bytes()
    media = next((media for media, start in IMAGES.items() if data.startswith(start)), None)
    if media is None:
        raise NotFound(f"There is no image of page {page} of {document!r}.")
    return data, media, digest
