"""Checkpoints that are whole or not there: each ends with a list of its files and their digests.

Trainer writes straight into `checkpoint-N` and resumes from the highest number, whatever a kill left in it."""

import json
import os
import shutil
from pathlib import Path

from tasks.artifacts import file_sha256

LIST = "whole.json"
UNUSED = "training_args.bin"  # a pickle that nothing reads


def seal(folder: Path) -> None:
    """Write the list, last and at once."""
    (folder / UNUSED).unlink(missing_ok=True)
    files = {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != LIST}
    aside = folder / f"{LIST}.new"
    with aside.open("w") as file:
        json.dump(files, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / LIST)


def whole(folder: Path) -> bool:
    try:
        files = json.loads((folder / LIST).read_bytes())
        return all(file_sha256(folder / name) == digest for name, digest in files.items())
    except (FileNotFoundError, ValueError):
        return False


def last_whole(work: Path) -> Path | None:
    """The newest whole checkpoint; what is not whole is removed."""
    for folder in sorted(work.glob("checkpoint-*"), key=number, reverse=True):
        if whole(folder):
            return folder
        shutil.rmtree(folder)
    return None


def number(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])
