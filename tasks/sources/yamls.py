"""YAML files that people write: a mistake becomes one paragraph that names file, field and value."""

import difflib
import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from tasks.errors import BadInput, NotFound

M = TypeVar("M", bound=BaseModel)


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not readable YAML: {' '.join(str(error).split())}. Mend that line.") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path} must hold fields (`name: value`), not {type(value).__name__}.")
    return value


def put_text(path: Path, text: str) -> None:
    """Written aside and moved: there is the whole file or none. It keeps its mode, and its line ends are the text's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path.resolve()  # of a link, the file that it names
    aside = place.with_name(f".{uuid.uuid4().hex}.new")
    try:
        with aside.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
        with suppress(FileNotFoundError):
            shutil.copymode(place, aside)
        aside.replace(place)
    finally:
        aside.unlink(missing_ok=True)


def build(model: type[M], value: object, where: object) -> M:
    """`value` as a `model`; every mistake is told with its field, an unknown field with the nearest known one."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        causes = "; ".join(_cause(model, dict(item)) for item in error.errors(include_url=False))
        raise BadInput(f"{where}: {causes}" + ("" if causes.endswith(("?", ".")) else ".")) from None


def _cause(model: type[BaseModel], error: dict[str, Any]) -> str:
    field = ".".join(str(part) for part in error["loc"]) or "the whole"
    if error["type"] == "extra_forbidden" and (fields := _fields_beside(model, error["loc"])):
        group, dot, last = field.rpartition(".")
        near = difflib.get_close_matches(last, fields, n=1)
        known = f"did you mean {group + dot + near[0]!r}?" if near else f"known fields: {', '.join(sorted(fields))}"
        return f"unknown field {field!r}, {known}"
    if error["type"] == "value_error":  # of the model as a whole: its input would be everything
        return str(error["msg"]).removeprefix("Value error, ")
    return f"{field}: {error['msg']}" + ("" if error["type"] == "missing" else f" (got {_short(error['input'])})")


def _fields_beside(model: type[BaseModel], loc: tuple[int | str, ...]) -> set[str]:
    """The fields that could stand where `loc` ends; a part of it may be a list's index, a key or a union's tag."""
    models = [model]
    for part in loc[:-1]:
        below = [inner for one in models if part in one.model_fields for inner in _models(one.model_fields[part])]
        models = below or [one for one in models if part in _names(one)] or models
    return {name for one in models for name in one.model_fields}


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models in a field's annotation, through unions, lists and mappings."""
    annotation = getattr(annotation, "annotation", annotation)
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _models(inner)]


def _names(model: type[BaseModel]) -> list[object]:
    """What a union calls a member: its class, or a literal that it holds."""
    tags = (get_args(one.annotation) for one in model.model_fields.values() if get_origin(one.annotation) is Literal)
    return [model.__name__, *(tag for one in tags for tag in one)]


def find(kind: str, name: str, folders: Iterable[Path]) -> Path:
    """The file `<folder>/<kind>/<name>.yaml` of the first folder that has it."""
    folders = list(folders)
    for folder in folders:
        path = folder / kind / f"{name}.yaml"
        if path.is_file() and path.parent == folder / kind:
            return path
    known = names(kind, folders)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}."
    places = " or ".join(str(folder / kind) for folder in folders)
    raise NotFound(f"There is no {kind.removesuffix('s')} {name!r} in {places}; {hint}")


def names(kind: str, folders: Iterable[Path]) -> list[str]:
    """The names of all YAML files of a kind, sorted."""
    return sorted({path.stem for folder in folders for path in (folder / kind).glob("*.yaml")})


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
