"""What a tabular recipe says beyond the common part, and the narrow views of it that steps take as inputs."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.registry.recipes import Recipe

Task = Literal["regression", "binary", "multiclass"]
Label = str | int | bool
Value = str | int | float | bool | None

METRICS: dict[Task, tuple[str, ...]] = {
    "regression": ("mae", "rmse", "r2", "within_one", "qwk"),
    "binary": ("auc", "log_loss", "brier", "ece", "accuracy", "f1"),
    "multiclass": ("log_loss", "accuracy", "macro_f1", "brier", "ece"),
}


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitSpec(Strict):
    """Which rows test: by the hash of a row's content, the newest of a time column, or whole groups."""

    by: Literal["hash", "time", "group"] = "hash"
    column: str | None = None
    test: float = Field(default=0.2, gt=0, lt=1)
    valid: float = Field(default=0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.by != "hash" and not self.column:
            raise ValueError(f"split by {self.by} needs `column`")
        if self.test + self.valid > 0.8:
            raise ValueError("split leaves under 20 % of the rows to train on; lower `test` or `valid`")
        return self


class Invariance(Strict):
    """Putting each of `values` into `column` moves the score by at most `tolerance` on average."""

    kind: Literal["invariance"]
    column: str
    values: tuple[Value, ...] = Field(min_length=1)
    tolerance: float = Field(default=0.02, gt=0)


class Direction(Strict):
    """Adding `add` to `column` moves the score `expect`, or leaves it, in at least `share` of the rows."""

    kind: Literal["direction"]
    column: str
    add: float
    expect: Literal["up", "down"]
    share: float = Field(default=0.9, gt=0, le=1)


class Minimum(Strict):
    """A plain case that any useful model gets right: the score of `row` lies within `low` and `high`."""

    kind: Literal["minimum"]
    name: str
    row: dict[str, Value]
    low: float | None = None
    high: float | None = None


Behaviour = Annotated[Invariance | Direction | Minimum, Field(discriminator="kind")]


class Subject(Strict):
    """What is predicted, and the columns that travel with the rows without being the model's inputs."""

    target: str
    task: Task
    positive: Label | None = None
    carried: tuple[str, ...] = ()
    min_rows: int = 50


class Training(Strict):
    """What decides a fit besides its data: a step's key holds this and not the whole recipe."""

    metric: str
    seed: int = 0
    parameters: dict[str, float | int | str | bool] = {}


class TabularRecipe(Recipe):
    """A recipe of kind `tabular`: rows to a booster or a linear model."""

    rules = Recipe.rules | {"behaviour"}
    model_config = ConfigDict(extra="forbid")

    kind: Literal["tabular"] = "tabular"
    target: str
    task: Task
    positive: Label | None = None
    features: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    drop: tuple[str, ...] = ()
    split: SplitSpec = SplitSpec()
    seed: int = 0
    trials: int = Field(default=0, ge=0)
    parameters: dict[str, float | int | str | bool] = Field(default_factory=dict)
    behaviour: tuple[Behaviour, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        known = METRICS[self.task]
        unknown = {self.metric, *self.floors, *self.slice_floors} - set(known)
        if unknown:
            raise ValueError(f"no metric {', '.join(sorted(unknown))} for {self.task}; there are {', '.join(known)}")
        if self.target in self.drop:
            raise ValueError(f"the target {self.target} is in `drop`")
        if self.slice_floors and not self.slices:
            raise ValueError("`slice_floors` hold for nothing without `slices`; name the columns there")
        return self

    def subject(self, time: str | None = None, group: str | None = None) -> Subject:
        """The view that the data steps take; the dataset's time and group columns are carried, never inputs."""
        named = [time, group, self.split.column]
        carried = tuple(dict.fromkeys(column for column in named if column and column not in {self.target, *self.drop}))
        return Subject(
            target=self.target, task=self.task, positive=self.positive, carried=carried, min_rows=self.min_rows
        )

    def training(self, seed: int | None = None, found: dict[str, Any] | None = None) -> Training:
        """The view that the fits take; `found` are parameters from a search, over which the recipe's own win."""
        chosen = {**(found or {}), **self.parameters}
        return Training(metric=self.metric, seed=self.seed if seed is None else seed, parameters=chosen)
