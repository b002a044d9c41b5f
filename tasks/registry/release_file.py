"""release.json, the record in every release folder: what it is made of, and how its golden requests are answered."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.artifacts import Artifact, canonical, current, file_sha256

NAME = "release.json"


def assembled(folder: Path, record: dict[str, Any], requests: list[Any], answer: Callable[[], list[Any]]) -> Artifact:
    """A folder artifact (kind `releases`). `answer` loads the folder, whose record has no golden requests yet, as a
    service does, and gives the answers to the `requests`."""
    write(folder, record)
    record["golden"] = [{"request": one, "answer": said} for one, said in zip(requests, answer(), strict=True)]
    write(folder, record)
    return current().put_folder("releases", folder, {"release": record["release"], "key": record["key"]})


def write(folder: Path, record: dict[str, Any]) -> None:
    """The record with the digests of the files that it names."""
    record["files"] = {name: file_sha256(folder / name) for name in record["files"]}
    canonical(record)  # refuses NaN and infinity, which JSON readers would trip over
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / NAME).write_text(text + "\n", encoding="utf-8")
