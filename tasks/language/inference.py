"""A first recipe for a chat model of one's own: `penstock new assistant` writes what this proposes."""

from pathlib import Path
from typing import Any

from tasks.documents.inference import Proposal
from tasks.documents.inference import dataset_of as dataset_of_folder
from tasks.errors import BadInput
from tasks.language.conversations import file_bytes, gathered
from tasks.language.duplicates import duplicates
from tasks.sources.contracts import CHAT

BASE = "smollm2"


def infer(path: Path, name: str) -> Proposal:
    """The proposal for a folder of documents, or for a file of conversations; BadInput where `path` is neither."""
    if not path.exists():
        raise BadInput(f"{path} does not exist; name a folder of documents, or a JSONL file of conversations.")
    dataset, told = dataset_of_folder(path) if path.is_dir() else dataset_of_file(path)
    recipe = {"kind": "assistant", "dataset": name, "base": BASE}
    assumed = f"base {BASE}: a small model that a processor without a graphics card can train; another: `base`"
    return Proposal(dataset=dataset, recipe=recipe, assumptions=[*told, assumed])


def dataset_of_file(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The catalog entry of a file of conversations, and what was found in it and assumed of it."""
    found = gathered([(str(path), file_bytes(path))])
    rows = [one.said for one in found.told]
    repeats = len(duplicates(rows))
    answers = sum(message.role == "assistant" for row in rows for message in row.messages)
    facts = len({row.fact for row in rows})
    dataset = {
        "title": f"Conversations of {path.name}",
        "licence": "unknown",
        "source": {"type": "file", "path": str(path.resolve())},
        "contract": CHAT,
    }
    told = [f"{len(rows)} conversations with {answers} answers, which say {facts} different things"]
    if repeats:
        told.append(f"{repeats} of them repeat another one and are left out")
    if found.aside:
        told.append(f"{len(found.aside)} lines are no conversations and are left out")
        told += [str(cause) for cause in found.causes]
    return dataset, [*told, "licence unknown: write yours into the dataset"]
