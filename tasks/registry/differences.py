"""In what two releases are made differently, by release.json: options, artifacts by digest, texts line by line."""

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# measured, or of the data, which is compared by name elsewhere, or following from the rest
LEFT_OUT = {"metrics", "golden", "files", "key", "inputs", "lineage", "questions", "input_schema", "schema_version"}
LONGEST = 600  # characters that are shown of a side

Sides = tuple[str, str]


def differences(left: Path, right: Path) -> dict[str, Sides]:
    """What differs between the releases in two folders, by its path in release.json; `-` where one has none."""
    one, two = (dict(_leaves(_release(folder), "")) for folder in (left, right))
    names = [name for name in dict.fromkeys([*one, *two]) if one.get(name) != two.get(name)]
    return {name: _apart(one.get(name, "-"), two.get(name, "-")) for name in names}


def _release(folder: Path) -> dict[str, Any]:
    told = json.loads((folder / "release.json").read_bytes())
    return {name: value for name, value in told.items() if name not in LEFT_OUT}


def _leaves(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and {"uri", "digest", "kind"} <= value.keys():
        yield name, str(value["digest"])[:12]
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, f"{name}.{key}" if name else str(key))
    elif value is not None:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _apart(left: str, right: str) -> Sides:
    """Of texts of several lines only the lines that the other has not."""
    if "\n" not in left + right:
        return left[:LONGEST], right[:LONGEST]
    lines = list(difflib.ndiff(left.splitlines(), right.splitlines()))
    sides = ("\n".join(line[2:] for line in lines if line.startswith(mark)) for mark in ("- ", "+ "))
    gone, come = (side[:LONGEST] or "-" for side in sides)
    return gone, come
