"""An order of kind `creative`: rows with texts, their contract, and what else the model depends on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.orders import Prepared
from tasks.artifacts import canonical, folder_digest, sha256
from tasks.creative.specs import CreativeRecipe
from tasks.errors import BadInput
from tasks.settings import Settings
from tasks.sources.catalog import load_dataset
from tasks.sources.contracts import Contract, load_contract
from tasks.sources.local import check_files
from tasks.sources.state import source_state
from tasks.tables.named_columns import check_named

PACKAGED = "minilm"  # the encoder that is a dataset of the catalog


class Copy(Prepared):
    recipe: CreativeRecipe
    contract: Contract

    def check(self, settings: Settings) -> None:
        check_files(self.dataset, self.contract, self.files)


def prepared(known: dict[str, Any], settings: Settings) -> Copy:
    """What the order names. BadInput where recipe and contract disagree, or no commit pins a model of the hub."""
    recipe, dataset, conditions = known["recipe"], known["dataset"], known["conditions"]
    contract = load_contract(dataset.contract, settings.folders)
    check_named(recipe.name, named(recipe), contract)
    if "encoder" in recipe.candidates and on_hub(recipe) and recipe.encoder.revision is None:
        raise BadInput(
            f"The encoder {recipe.encoder.base} is neither {PACKAGED} nor a folder: of a model on the hub name the "
            "commit, too, as `encoder.revision`."
        )
    conditions["contract"] = sha256(canonical(contract.model_dump(mode="json")))
    conditions["source"] = source_state(dataset, known["files"], settings.remote_age)
    conditions["surroundings"] = sha256(canonical(surroundings(recipe, settings)))
    return Copy(**known, contract=contract)


def named(recipe: CreativeRecipe) -> Iterator[tuple[str, str]]:
    """Each field of the recipe with a column that it names."""
    yield from (("texts", column) for column in recipe.texts)
    yield from (("facts", column) for column in recipe.facts.values())
    yield from (("slices", column) for column in recipe.slices)
    for field, column in (("label", recipe.label), ("rating", recipe.rating), ("split.column", recipe.split.column)):
        if column:
            yield field, column


def on_hub(recipe: CreativeRecipe) -> bool:
    return recipe.encoder.base != PACKAGED and not Path(recipe.encoder.base).expanduser().is_dir()


def surroundings(recipe: CreativeRecipe, settings: Settings) -> list[object]:
    """What a classifier depends on outside its recipe and data: the embedding model, and the encoder's base."""
    wanted = set(recipe.candidates)
    names = {recipe.embedding.dataset if "embedding" in wanted else None}
    names |= {PACKAGED if "encoder" in wanted and recipe.encoder.base == PACKAGED else None}
    models = [load_dataset(name, settings.folders) for name in sorted(name for name in names if name)]
    states = [source_state(model, {}, settings.remote_age) for model in models]
    folder = Path(recipe.encoder.base).expanduser()
    local = (
        folder_digest(folder) if "encoder" in wanted and recipe.encoder.base != PACKAGED and folder.is_dir() else None
    )
    return [[model.model_dump(mode="json") for model in models], states, local]
