"""YAML files that people write: a mistake becomes one paragraph that names file, field and value."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tasks.errors import BadInput, NotFound

M = TypeVar("M", bound=BaseModel)


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not readable YAML: {' '.join(str(error).split())}. Mend that line.") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path} must hold fields (`name: value`), not {type(value).__name__}.")
    return value


def build(model: type[M], value: object, where: object) -> M:
    """`value` as a `model`; the first mistake is told with its field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"]) or "the whole"
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise BadInput(
            f"{where}: {field} cannot be {_short(first['input'])}: {first['msg']}{more}. Mend the field."
        ) from None


def find(kind: str, name: str, folders: Iterable[Path]) -> Path:
    """The file `<folder>/<kind>/<name>.yaml` of the first folder that has it."""
    folders = list(folders)
    for folder in folders:
        path = folder / kind / f"{name}.yaml"
        if path.is_file() and path.parent == folder / kind:
            return path
    known = names(kind, folders)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}."
    raise NotFound(f"There is no {kind}/{name}.yaml in {' or '.join(map(str, folders))}; {hint}")


def names(kind: str, folders: Iterable[Path]) -> list[str]:
    """The names of all YAML files of a kind, sorted."""
    return sorted({path.stem for folder in folders for path in (folder / kind).glob("*.yaml")})


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
