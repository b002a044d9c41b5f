"""Recipes: what a release is made of and held to, one YAML file each; an unknown field names the nearest known one."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tasks.errors import BadInput
from tasks.sources.yamls import build, find, names, read_mapping

Model = TypeVar("Model", bound=BaseModel)
NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


class Budgets(BaseModel):
    """Upper bounds of the built model: CPU time of one prediction in milliseconds, size in megabytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_ms: float | None = Field(default=None, gt=0)
    size_mb: float | None = Field(default=None, gt=0)


class Watch(BaseModel):
    """What happens after promotion: the size of a window, when windows raise an alarm, and what an alarm may start.

    An alarm: `alarms` of the last `of` windows drifted, the latest one among them. `act`: `suggest` only tells, `ask`
    asks a person before it trains, `auto` trains. `drift_share`: training on a snapshot of which more of the columns
    drifted from the champion's warns, or with `ask` stops until somebody agrees."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    act: Literal["suggest", "ask", "auto"] = "suggest"
    rows: int = Field(default=500, ge=500)
    alarms: int = Field(default=2, ge=1)
    of: int = Field(default=3, ge=1)
    cooldown_hours: float = Field(default=24, ge=0)
    per_week: int = Field(default=2, ge=1)
    drift_share: float = Field(default=0.5, ge=0, le=1)
    before_training: Literal["warn", "ask"] = "warn"

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.alarms > self.of:
            raise ValueError(f"`alarms: {self.alarms}` can never happen among the last {self.of} windows; raise `of`")
        return self


class Recipe(BaseModel):
    """What every kind of release has; a kind adds its own fields in a subclass with `extra="forbid"`.

    `rules` names the fields that a decision follows: where one changes, the gate decides anew."""

    rules: ClassVar[frozenset[str]] = frozenset(
        {"metric", "margin", "floors", "slices", "slice_floors", "budgets", "approval", "inconclusive", "best_of"}
    )
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
    watch: Watch = Watch()

    @field_validator("schedule")
    @classmethod
    def _five_fields(cls, schedule: str | None) -> str | None:
        if schedule is not None and len(schedule.split()) != 5:
            raise ValueError('a cron schedule has five fields, as in "0 3 * * *"')
        return schedule


def parsed(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """`values` as the model; BadInput names the field, and for an unknown one the nearest there is."""
    return build(model, dict(values), where)


def release_names(folders: Iterable[Path]) -> list[str]:
    """The names of the recipes (`<folder>/releases/<name>.yaml`), sorted."""
    return names("releases", folders)


def load_recipe(name: str, folders: Iterable[Path]) -> dict[str, Any]:
    """The recipe as written, with its name; the first folder that has it wins."""
    path = find("releases", name, folders)
    values = read_mapping(path)
    if values.get("name", name) != name:
        raise BadInput(f"{path} must be a mapping of fields, and its name, where given, must be {name!r}.")
    return {**values, "name": name}
