"""A first recipe for a folder of documents: `penstock new documents` writes what this proposes."""

from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tasks.errors import BadInput

KNOWN = {
    ".pdf": "PDF",
    ".md": "Markdown",
    ".markdown": "Markdown",
    ".html": "HTML",
    ".htm": "HTML",
    ".txt": "text",
}


class Proposal(BaseModel):
    """Catalog entry and recipe as they are written, and a sentence for each thing that was assumed."""

    dataset: dict[str, Any]
    recipe: dict[str, Any]
    assumptions: list[str]


def infer(folder: Path, name: str) -> Proposal:
    """The proposal for the documents under `folder`; BadInput where there are none."""
    dataset, found = dataset_of(folder)
    assumptions = [
        *found,
        "no golden questions: releases are judged on questions that are proposed from the headings and sentences; "
        f"`penstock questions {name}` writes those down for you to correct, and then the gate holds to yours",
        "margin 0.05: a new index may find that much less (nDCG@10) and still count as not worse",
        "embeddings by all-MiniLM-L6-v2, which was trained on English; another model: `embedding` in the recipe",
    ]
    return Proposal(dataset=dataset, recipe={"kind": "documents", "dataset": name}, assumptions=assumptions)


def dataset_of(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The catalog entry of a folder, and what was found in it and assumed of it."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder; name the folder that holds the documents.")
    paths = [path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder))]
    kinds = Counter(KNOWN.get(path.suffix.lower(), "") for path in paths)
    unknown = kinds.pop("", 0)
    if not kinds:
        raise BadInput(f"{folder} holds no {', '.join(sorted(set(KNOWN.values())))} files; name another folder.")
    dataset = {
        "title": f"Documents of {folder.resolve().name}",
        "licence": "unknown",
        "source": {"type": "folder", "path": str(folder.resolve())},
    }
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    found += " file" if sum(kinds.values()) == 1 else " files"
    told = [
        f"{found}, in this folder and below; a later edit, addition or removal is seen by the next `train`",
        "licence unknown: write yours into the dataset",
    ]
    if unknown:
        told.insert(1, f"{unknown} of other kinds: tried as text, and reported where they are not")
    return dataset, told


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
