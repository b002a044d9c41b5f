"""A first catalog entry, contract and recipe for a user's own table of texts, with every guess said aloud."""

from pathlib import Path
from typing import Any, get_args

from tasks.creative.specs import Fact, Reading
from tasks.errors import BadInput
from tasks.tables import inference as tables
from tasks.tables.inference import Proposal, listed

THRESHOLD: float = Reading.model_fields["threshold"].default


def infer(path: Path, name: str, target: str) -> Proposal:
    """As of any table; the columns of free text are what is read. BadInput: there are none, or no target fits."""
    table = tables.infer(path, name, target)
    columns: dict[str, Any] = table.contract["columns"]
    texts = [one for one in table.recipe.get("drop", []) if free_text(columns[one])]
    if not texts:
        raise BadInput(
            f"{path} has no column of free text beside {target!r}, so there is nothing to read: for numbers and levels "
            "use `penstock new tabular`."
        )
    task, told = table.recipe["task"], [f"{listed(texts)}: free text, so it is what is read"]
    recipe: dict[str, Any] = {"kind": "creative", "dataset": name, "texts": texts}
    if task == "binary":
        recipe |= {"label": target, "positive": table.recipe["positive"]}
    elif columns[target]["dtype"] in ("float64", "Int64"):
        recipe |= {"rating": target, "threshold": THRESHOLD}
        told.append(
            f"{target}: a rating, and a text is good from {THRESHOLD:g} on, as of 1 to 5; set `threshold` to what "
            "divides yours"
        )
    else:
        raise BadInput(
            f"The target {target!r} reads as {columns[target]['dtype']} with more than two values: two labels are told "
            "apart, and a rating is a number as 4.5, without a unit or a decimal comma."
        )
    facts = {fact: fact for fact in get_args(Fact) if fact in columns and fact != target}
    if "title" in facts or "description" in facts:
        recipe["facts"] = facts
        told.append(f"{listed([*facts])}: what drafts may speak of")
    else:
        told.append("no column is called title or description, so nothing is drafted; see `facts`")
    bars = {"metric": "auc", "margin": 0.01, "floors": {"auc": 0.5}, "approval": "auto"}
    told.append("floor auc 0.5: what a constant alone reaches, raise it to what you need")
    said = [line for line in table.assumptions if " no input" not in line and not line.startswith("floor ")]
    if task != "binary":
        said = [line for line in said if not line.startswith(f"{target}: ")]
    return table.model_copy(update={"recipe": recipe | bars, "assumptions": [*said, *told]})


def free_text(column: dict[str, Any]) -> bool:
    return column["dtype"].startswith("string") and not column.get("unique") and "isin" not in column
