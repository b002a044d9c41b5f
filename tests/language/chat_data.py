"""Chat data of a user's own, as the tests of this room need it."""

import json
from pathlib import Path
from typing import Any

import yaml

from tasks.language.conversations import Conversations, lines_of, read_conversations
from tasks.sources.catalog import Dataset, load_dataset
from tasks.sources.fetch import fetch


def as_messages(turns: list[tuple[str, str]]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def dataset(folder: Path, **more: object) -> Dataset:
    (folder / "datasets").mkdir(parents=True, exist_ok=True)
    entry = {"title": "Mine", "licence": "internal", "contract": "conversations"}
    entry["source"] = {"type": "file", "path": "chat.jsonl"}
    (folder / "datasets" / "chat.yaml").write_text(yaml.safe_dump(entry | more))
    return load_dataset("chat", [folder])


def read(folder: Path, *lines: object) -> Conversations:
    """The lines as a user's dataset; what is not bytes is written as JSON."""
    named = dataset(folder)
    raw = [line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines]
    (folder / "chat.jsonl").write_bytes(b"\n".join(raw))
    return read_conversations(lines_of(fetch(named, {}), named))


def pair(question: str, answer: str, **more: object) -> dict[str, object]:
    return {"prompt": question, "completion": answer, **more}
