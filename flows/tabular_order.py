"""An order of kind `tabular`: rows, their contract, and their digests."""

from typing import Any

from flows.orders import Prepared
from tasks.artifacts import canonical, sha256
from tasks.settings import Settings
from tasks.sources.contracts import Contract, load_contract
from tasks.sources.local import check_files
from tasks.sources.state import source_state
from tasks.tables.named_columns import check_named, named
from tasks.tables.own_features import find
from tasks.tables.specs import TabularRecipe


class Rows(Prepared):
    recipe: TabularRecipe
    contract: Contract

    def check(self, settings: Settings) -> None:
        check_files(self.dataset, self.contract, self.files)


def prepared(known: dict[str, Any], settings: Settings) -> Rows:
    """What the order names, with the contract of its dataset; BadInput where recipe and contract disagree."""
    recipe, dataset, conditions = known["recipe"], known["dataset"], known["conditions"]
    contract = load_contract(dataset.contract, settings.folders)
    check_named(recipe.name, named(recipe), contract)
    conditions["contract"] = sha256(canonical(contract.model_dump(mode="json")))
    conditions["source"] = source_state(dataset, known["files"], settings.remote_age)
    if recipe.features:
        conditions["own features"] = sha256(find(recipe.features, settings.folders).read_bytes())
    return Rows(**known, contract=contract)
