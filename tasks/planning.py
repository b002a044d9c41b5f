"""Keys, receipts and plans in plain Python, without Prefect: what would run, and why."""

import ast
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, JsonValue, ValidationError

from tasks.artifacts import Artifact, Store, canonical, sha256
from tasks.errors import NotFound

ROOT = Path(__file__).resolve().parents[1]
OURS = ("flows", "tasks", "bentos")
INFRASTRUCTURE = {f"tasks.{name}" for name in ("caching", "artifacts", "settings", "errors", "planning", "processes")}
DISTRIBUTIONS = {  # where the module's name is not the distribution's: looking it up there takes 100 ms
    "PIL": "pillow",
    "_bentoml_sdk": "bentoml",
    "markdown_it": "markdown-it-py",
    "opentelemetry": "opentelemetry-sdk",
    "qdrant_edge": "qdrant-edge-py",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


Parsed = tuple[str, tuple[str, ...]]
_parsed: dict[str, Parsed] = {}  # by the sha256 of the source


class Step(BaseModel):
    """One cached step of a finished flow: what went in, and what came out."""

    task: str
    module: str
    key: str
    code: dict[str, str]
    inputs: dict[str, JsonValue]
    artifacts: list[Artifact]


class Receipt(BaseModel):
    """What a finished flow leaves: with nothing changed, the next run need not start."""

    schema_version: int = 1
    conditions: dict[str, str]
    code: dict[str, str]
    steps: list[Step]
    outcome: dict[str, JsonValue]


class Line(BaseModel):
    """One line of a plan."""

    step: str
    state: Literal["cached", "runs", "follows"]
    why: str = ""


# code


def closure(module: str, roots: tuple[Path, ...] = (ROOT,)) -> dict[str, str]:
    """Every project module that `module` reaches by import, and the third-party versions they name, with digests."""
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = locate(name, roots)
        if name in found or name in INFRASTRUCTURE or path is None:
            continue
        found[name], imports = parsed(path.read_bytes())
        for imported in imports:
            if locate(imported, roots) is not None:
                waiting.append(imported)
            elif (top := imported.partition(".")[0]) not in sys.stdlib_module_names and top not in OURS:
                found[top] = version(top)
    return found


def parsed(source: bytes) -> Parsed:
    """Digest of a module's code without comments and docstrings, and what it imports (inside functions too)."""
    name = sha256(source)
    if name not in _parsed:
        _parsed[name] = parse(source)
    return _parsed[name]


@contextmanager
def remembered(store: Store) -> Iterator[None]:
    """Keep what was parsed for the next process: parsing is most of the time of a run that does nothing."""
    place = f"memo/code-{sys.version_info.major}.{sys.version_info.minor}.json"
    with suppress(NotFound, ValueError):
        _parsed.update(
            {name: (digest, tuple(imports)) for name, (digest, imports) in json.loads(store.read(place)).items()}
        )
    before = len(_parsed)
    yield
    if len(_parsed) > before:
        store.write(place, canonical(_parsed))


def parse(source: bytes) -> Parsed:
    tree = ast.parse(source)
    imports: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports.update(dict.fromkeys([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]))
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            drop_docstring(node)
    return sha256(ast.dump(tree).encode()), tuple(imports)


def drop_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]


@cache
def locate(module: str, roots: tuple[Path, ...]) -> Path | None:
    """The file of a project module; by path, since `find_spec` would import its parents."""
    parts = module.split(".")
    for root in roots:
        if root == ROOT and parts[0] not in OURS:
            continue
        path = root.joinpath(*parts)
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


@cache
def version(module: str) -> str:
    """The version of the distribution that provides a third-party module; empty where it is not installed."""
    try:
        return metadata.version(DISTRIBUTIONS.get(module, module))
    except metadata.PackageNotFoundError:
        return ""


# keys


def key_of(task: str, code: dict[str, str], inputs: dict[str, JsonValue]) -> str:
    """The key of a step: its own name is in it, since equal inputs under a shared key return another step's result."""
    body = {"task": task, "code": code, "inputs": inputs}
    return f"{task.rpartition('.')[2]}-{hashlib.sha256(canonical(body)).hexdigest()}"


def plain(value: object) -> JsonValue:
    """The part of an input that decides the result: digests of artifacts, and small values as they are."""
    if isinstance(value, Artifact):
        return {"kind": value.kind, "digest": value.digest}
    if isinstance(value, BaseModel):
        fields = {name: plain(getattr(value, name)) for name in type(value).model_fields}
        return fields | {name: plain(extra) for name, extra in (value.model_extra or {}).items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"A cached step cannot take a {type(value).__name__}: pass an Artifact or a small value.")


def artifacts_in(value: Any) -> list[Artifact]:
    """The artifacts that a step's result refers to."""
    if isinstance(value, Artifact):
        return [value]
    if isinstance(value, BaseModel):
        return [artifact for name in type(value).model_fields for artifact in artifacts_in(getattr(value, name))]
    if isinstance(value, dict):
        return [artifact for item in value.values() for artifact in artifacts_in(item)]
    if isinstance(value, list | tuple):
        return [artifact for item in value for artifact in artifacts_in(item)]
    return []


# receipts


def receipt_name(release: str, options: dict[str, JsonValue]) -> str:
    return f"receipts/{release}/{sha256(canonical(options))[:16]}.json"


def load_receipt(store: Store, name: str) -> Receipt | None:
    """The receipt of the last finished flow with these options; one of another format counts as none."""
    try:
        receipt = Receipt.model_validate_json(store.read(name))
    except (NotFound, ValidationError):
        return None
    return receipt if receipt.schema_version == Receipt.model_fields["schema_version"].default else None


def plan(
    store: Store, receipt: Receipt | None, conditions: dict[str, str], flow: str, roots: tuple[Path, ...] = (ROOT,)
) -> list[Line]:
    """What the flow would do now, a line per step; all `cached` means that nothing would run.

    `conditions` are the present digests of what stands outside the code: sources, recipe, contract.
    """
    if receipt is None:
        return [Line(step="all", state="runs", why="it never ran to its end with these options")]
    with remembered(store):
        code = closure(flow, roots)
    moved = differences(receipt.conditions, conditions)
    lines = [Line(step=name, state="runs", why="changed since the last run") for name in moved]
    for step in receipt.steps:
        why = "; ".join(reasons(store, step, code))
        behind = any(line.state != "cached" for line in lines)
        lines.append(Line(step=step.task, state="runs" if why else "follows" if behind else "cached", why=why))
    if all(line.state == "cached" for line in lines) and (modules := differences(receipt.code, code)):
        lines.append(Line(step=flow, state="runs", why=f"edited: {', '.join(modules)}"))
    return lines


def differences(then: dict[str, str], now: dict[str, str]) -> list[str]:
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def reasons(store: Store, step: Step, code: dict[str, str]) -> list[str]:
    """Why a step would run again: its code, or an artifact that is gone or altered."""
    edited = [name for name, digest in step.code.items() if code.get(name) != digest]
    gone = [artifact.uri for artifact in step.artifacts if not store.whole(artifact)]
    told = {"edited": edited, "gone or altered": gone}
    return [f"{what}: {', '.join(names)}" for what, names in told.items() if names]
