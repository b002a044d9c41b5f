"""A user's project of one small dataset, as the tests of this room need it."""

from pathlib import Path
from typing import Any

import yaml

from tasks.sources.catalog import Dataset, load_dataset
from tasks.sources.contracts import Contract, load_contract

COLUMNS = {
    "id": {"dtype": "str", "unique": True},
    "size": {"dtype": "float64", "nullable": True},
    "kind": {"dtype": "str"},
}


def project(
    folder: Path, source: dict[str, Any], rules: dict[str, Any] | None = None, **more: Any
) -> tuple[Dataset, Contract]:
    """Write datasets/things.yaml and contracts/things.yaml, and load them as a command does."""
    contract = {"columns": rules or COLUMNS, "strict": True}
    dataset = {"title": "Things", "licence": "CC0", "source": source, **more}
    for kind, value in (("datasets", dataset), ("contracts", contract)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / "things.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
    loaded = load_dataset("things", [folder])
    return loaded, load_contract(loaded.contract, [folder])
