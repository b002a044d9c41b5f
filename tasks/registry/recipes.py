"""Recipes: what a release is made of and held to, one YAML file each; an unknown field names the nearest known one."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tasks.errors import BadInput, NotFound

Model = TypeVar("Model", bound=BaseModel)
NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


class Budgets(BaseModel):
    """Upper bounds of the built model: CPU time of one prediction in milliseconds, size in megabytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_ms: float | None = Field(default=None, gt=0)
    size_mb: float | None = Field(default=None, gt=0)


class Recipe(BaseModel):
    """What every kind of release has; a kind adds its own fields in a subclass with `extra="forbid"`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(pattern=NAME)
    kind: Literal["tabular", "creative", "documents", "assistant"]
    dataset: str
    metric: str
    margin: float = Field(default=0.0, ge=0)
    floors: dict[str, float] = Field(default_factory=dict)
    slices: list[str] = Field(default_factory=list)
    slice_floors: dict[str, float] = Field(default_factory=dict)
    budgets: Budgets = Budgets()
    approval: Literal["auto", "ask"] = "auto"
    approval_days: int = Field(default=7, ge=1)
    inconclusive: Literal["refuse", "ask"] = "refuse"
    best_of: int = Field(default=5, ge=1)
    min_rows: int = Field(default=50, ge=2)
    schedule: str | None = None

    @field_validator("schedule")
    @classmethod
    def _five_fields(cls, schedule: str | None) -> str | None:
        if schedule is not None and len(schedule.split()) != 5:
            raise ValueError('a cron schedule has five fields, as in "0 3 * * *"')
        return schedule


def parsed(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """`values` as the model; BadInput names the field, and for an unknown one the nearest there is."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        causes = "; ".join(_cause(model, dict(item)) for item in error.errors(include_url=False))
        raise BadInput(f"{where}: {causes}.") from None


def _cause(model: type[BaseModel], error: dict[str, Any]) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        near = difflib.get_close_matches(field, model.model_fields, n=1)
        known = f"did you mean {near[0]!r}?" if near else f"known fields: {', '.join(sorted(model.model_fields))}"
        return f"unknown field {field!r}, {known}"
    return f"{field}: {error['msg']}" + ("" if error["type"] == "missing" else f" (got {error['input']!r})")


def release_names(folders: Iterable[Path]) -> list[str]:
    """The names of the recipes (`<folder>/releases/<name>.yaml`), sorted."""
    return sorted({path.stem for folder in folders for path in (folder / "releases").glob("*.yaml")})


def load_recipe(name: str, folders: Iterable[Path]) -> dict[str, Any]:
    """The recipe as written, with its name; the first folder that has it wins."""
    folders = list(folders)
    path = next((folder / "releases" / f"{name}.yaml" for folder in folders if name in release_names([folder])), None)
    if path is None:
        names = release_names(folders)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}."
        raise NotFound(f"There is no release {name!r} in {', '.join(map(str, folders))}; {hint}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict) or values.get("name", name) != name:
        raise BadInput(f"{path} must be a mapping of fields, and its name, where given, must be {name!r}.")
    return {**values, "name": name}
