"""What a user asks to be trained, and what stands behind it: recipe, dataset, contract and their digests."""

from importlib import import_module
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from flows.kinds import KINDS, kind_of
from tasks.artifacts import canonical, current, sha256
from tasks.errors import BadInput
from tasks.planning import Line, Receipt, load_receipt, plan, receipt_name
from tasks.registry.recipes import Recipe, load_recipe, parsed
from tasks.settings import ROOT, Settings
from tasks.sources.catalog import Dataset, load_dataset
from tasks.sources.state import parse_files
from tasks.sources.yamls import find


class Order(BaseModel):
    """One training: the form that the Prefect UI shows."""

    model_config = ConfigDict(extra="forbid")

    release: str = Field(description="Name of the release, as in data/releases/NAME.yaml")
    files: list[str] = Field(default=[], description="Local files instead of the source: PATH or part=PATH")
    seed: int | None = Field(default=None, description="The model's seed; the split does not depend on it")
    set: list[str] = Field(default=[], description="Fields of the recipe to override: key=value, nested as a.b=value")
    refresh: bool = Field(default=False, description="Look at remote sources again")
    accept_drift: bool = Field(default=False, description="Train however far the data moved from the champion's")

    def options(self) -> dict[str, JsonValue]:
        """What tells this training from another of the same release."""
        return {"files": [*sorted(self.files)], "seed": self.seed, "set": [*sorted(self.set)]}


class Prepared(BaseModel):
    """An order with all that it names, read: nothing was downloaded or started for it."""

    order: Order
    recipe: Recipe
    dataset: Dataset
    files: dict[str, str]
    conditions: dict[str, str]

    @property
    def receipt(self) -> str:
        return receipt_name(self.order.release, self.order.options())

    def check(self, settings: Settings) -> None:
        """Look at local files before anything is started."""


def recipe_of(release: str, settings: Settings, overrides: list[str] | None = None) -> Recipe:
    """The recipe of a release, with `key=value` overrides."""
    raw = load_recipe(release, settings.folders)
    for text in overrides or []:
        override(raw, text)
    where = str(find("releases", release, settings.folders)) + (" with --set" if overrides else "")
    return parsed(kind_of(raw.get("kind"), where).recipe, raw, where)


def override(raw: dict[str, Any], text: str) -> None:
    """Set one field of a raw recipe from `key=value`; the value is read as YAML."""
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise BadInput(f"--set {text!r} is not of the form key=value, as in --set margin=0.01.")
    if key == "name":
        raise BadInput(f"--set {text!r}: a release is called as its file is; copy the recipe to another name.")
    *path, last = key.split(".")
    place = raw
    for part in path:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise BadInput(f"--set {text!r}: {part} is not a group of fields.")
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise BadInput(f"--set {text!r}: the value is not readable YAML: {' '.join(str(error).split())}.") from None


def prepare(order: Order, settings: Settings) -> Prepared:
    """Read everything that an order names; nothing is fetched or started. Needs an open store."""
    recipe = recipe_of(order.release, settings, order.set)
    dataset = load_dataset(recipe.dataset, settings.folders)
    conditions = {
        "recipe": sha256(canonical(recipe.model_dump(mode="json"))),
        "dataset": sha256(canonical(dataset.model_dump(mode="json"))),
    }
    files = parse_files(dataset, order.files)
    known = {"order": order, "recipe": recipe, "dataset": dataset, "files": files, "conditions": conditions}
    prepared: Prepared = import_module(KINDS[recipe.kind].order).prepared(known, settings)
    return prepared


def planned(prepared: Prepared) -> tuple[Receipt | None, list[Line]]:
    """The receipt of the last run with these options, and what would run now."""
    store = current()
    receipt = load_receipt(store, prepared.receipt)
    return receipt, plan(store, receipt, prepared.conditions, KINDS[prepared.recipe.kind].flow, (ROOT,))
