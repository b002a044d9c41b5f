"""What a user asks to be trained, and what stands behind it: recipe, dataset, contract and their digests."""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from flows.kinds import KINDS, kind_of
from tasks.artifacts import canonical, current, folder_digest, sha256
from tasks.documents.corpus import corpus_state
from tasks.documents.tesseract import tesseract
from tasks.errors import BadInput
from tasks.planning import Line, Receipt, load_receipt, plan, receipt_name
from tasks.registry.recipes import Recipe, load_recipe, parsed
from tasks.retrieval.specs import AnswerOptions, DocumentsRecipe
from tasks.settings import ROOT, Settings
from tasks.sources.catalog import Dataset, load_dataset, masked
from tasks.sources.contracts import Contract, load_contract
from tasks.sources.local import check_files
from tasks.sources.state import parse_files, source_state
from tasks.sources.yamls import find as find_file
from tasks.tables.named_columns import check_named
from tasks.tables.own_features import find
from tasks.tables.specs import TabularRecipe


class Order(BaseModel):
    """One training: the form that the Prefect UI shows."""

    model_config = ConfigDict(extra="forbid")

    release: str = Field(description="Name of the release, as in data/releases/NAME.yaml")
    files: list[str] = Field(default=[], description="Local files instead of the source: PATH or part=PATH")
    seed: int | None = Field(default=None, description="The model's seed; the split does not depend on it")
    set: list[str] = Field(default=[], description="Fields of the recipe to override: key=value, nested as a.b=value")
    refresh: bool = Field(default=False, description="Look at remote sources again")

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

    def check(self) -> None:
        """Look at local files before anything is started."""


class Rows(Prepared):
    """An order of kind `tabular`."""

    recipe: TabularRecipe
    contract: Contract

    def check(self) -> None:
        check_files(self.dataset, self.contract, self.files)


class Papers(Prepared):
    """An order of kind `documents`."""

    recipe: DocumentsRecipe


def recipe_of(release: str, settings: Settings, overrides: list[str] | None = None) -> Recipe:
    """The recipe of a release, with `key=value` overrides."""
    raw = load_recipe(release, settings.folders)
    for text in overrides or []:
        override(raw, text)
    where = f"The recipe of {release}"
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
    files = parse_files(dataset, order.files)
    conditions = {
        "recipe": sha256(canonical(recipe.model_dump(mode="json"))),
        "dataset": sha256(canonical(dataset.model_dump(mode="json"))),
    }
    known = {"order": order, "recipe": recipe, "dataset": dataset, "files": files}
    if isinstance(recipe, DocumentsRecipe):
        conditions["source"] = corpus_state(dataset, files)
        conditions["surroundings"] = sha256(canonical(surroundings(recipe, settings)))
        if recipe.golden:
            conditions["golden questions"] = sha256(find_file("golden", recipe.golden, settings.folders).read_bytes())
        return Papers(**known, conditions=conditions)
    assert isinstance(recipe, TabularRecipe)
    contract = load_contract(dataset.contract, settings.folders)
    check_named(recipe, contract)
    conditions["contract"] = sha256(canonical(contract.model_dump(mode="json")))
    conditions["source"] = source_state(dataset, files, settings.remote_age)
    if recipe.features:
        conditions["own features"] = sha256(find(recipe.features, settings.folders).read_bytes())
    return Rows(**known, contract=contract, conditions=conditions)


def surroundings(recipe: DocumentsRecipe, settings: Settings) -> list[object]:
    """What a documents release depends on outside its recipe and folder: the embedding model, a judge, a server, the
    address of a language model, a cross-encoder."""
    model = load_dataset(recipe.embedding.dataset, settings.folders) if recipe.embedding.dataset else None
    judge = [settings.judge, settings.judge_ragas, settings.judge_embeddings]
    asked = endpoint() if settings.judge else endpoint_of(recipe.answers)
    cross = recipe.search.rerank and folder_digest(Path(recipe.search.rerank))
    read = [one and one.model_dump(mode="json") for one in (model, tesseract(recipe.pages))]
    return [read, judge, settings.qdrant and settings.qdrant[0], asked, cross]


def endpoint_of(answers: AnswerOptions) -> str:
    """The address of the language model that answers; none where the answers are extractive."""
    return endpoint() if answers.generator == "openai" else ""


def endpoint() -> str:
    """OpenAI's own, unless the native variable names another."""
    return masked(os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1")


def planned(prepared: Prepared) -> tuple[Receipt | None, list[Line]]:
    """The receipt of the last run with these options, and what would run now."""
    store = current()
    receipt = load_receipt(store, prepared.receipt)
    return receipt, plan(store, receipt, prepared.conditions, KINDS[prepared.recipe.kind].flow, (ROOT,))
