"""Datasets of documents, as the tests of this room need them."""

from pathlib import Path
from typing import Any

from tasks.sources.catalog import Dataset, FolderSource


def papers(path: Path | str, **more: Any) -> Dataset:
    source = FolderSource(type="folder", path=str(path), **more)
    return Dataset(name="papers", title="Papers", licence="CC0", contract="papers", source=source)


def written(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
