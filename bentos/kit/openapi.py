"""OpenAPI of the version that serves, and a page that lists it without a script or a foreign host."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter

from bentos.kit.desk import Desk
from bentos.kit.feedback import Accepted, Feedback
from bentos.kit.handle import Handle
from tasks.watching.targets import target_of

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f4;padding:.8rem;overflow:auto}code{font-size:.9em}h2{margin-top:2rem}"
)
CSP = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
PROBE = {"200": {"description": "Alive, or ready"}, "503": {"description": "Nothing can answer: see `reasons`"}}


class Info(BaseModel):
    """The version that answers and where it comes from."""

    release: str
    version: str
    kind: str
    digest: str
    follow: str | None
    lineage: dict[str, str]
    since: float
    refused: list[dict[str, Any]]
    shadow: str | None
    split: dict[str, Any] | None
    replica: str


@dataclass(frozen=True)
class Described:
    """What one version adds: components by name, and an example of each request body by path."""

    components: dict[str, Any]
    examples: dict[str, Any] = field(default_factory=dict)


Schemas = Callable[[Handle[Any] | None], Described]


def components(**types: Any) -> dict[str, Any]:
    """JSON schemas of pydantic types under these names."""
    found: dict[str, Any] = {}
    for name, kind in types.items():
        schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[name] = schema
    return found


def document(app: FastAPI, desk: Desk[Any], schemas: Schemas) -> dict[str, Any]:
    handle = desk.handle
    told = f"{handle.release.release} v{handle.version}" if handle else "no version is loaded yet"
    found = get_openapi(title=app.title, version=app.version, description=f"Serving {told}.", routes=app.routes)
    described = schemas(handle)
    shared = components(Feedback=Feedback, Accepted=Accepted, Info=Info)
    if handle and (target := target_of(handle.release.output_schema)):
        shared["Feedback"]["properties"]["label"] |= {"anyOf": [target.schema], "examples": [target.example]}
    found.setdefault("components", {}).setdefault("schemas", {}).update(shared | described.components)
    for path, example in described.examples.items():
        found["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"] = example
    if desk.config.keys:
        found["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
        found["security"] = [{"key": []}]
    for path in ("/health", "/ready"):
        found["paths"][path] = {"get": {"operationId": path.strip("/"), "summary": "Probe", "responses": PROBE}}
    return found


def page(told: dict[str, Any]) -> str:
    """The operations with their examples, as plain HTML."""
    parts = [_operation(path, name, one) for path, methods in told["paths"].items() for name, one in methods.items()]
    title = escape(told["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(told['info']['description'])} "
        f'The whole description: <a href="openapi.json">openapi.json</a>.</p>{"".join(parts)}</html>'
    )


def _operation(path: str, method: str, one: dict[str, Any]) -> str:
    body = one.get("requestBody", {}).get("content", {}).get("application/json", {})
    shown = json.dumps(body.get("example"), indent=1, ensure_ascii=False)
    example = f"<pre>{escape(shown)}</pre>" if "example" in body else ""
    statuses = ", ".join(one["responses"])
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(one.get('summary', ''))}</p>"
        f"{example}<p>Answers: {statuses}</p>"
    )
