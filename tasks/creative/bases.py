"""The encoder that is fine-tuned: packaged weights, a local folder, or a model of the hub; safetensors only."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tasks.artifacts import Artifact, current
from tasks.creative.encoder import TOKENIZER
from tasks.errors import BadInput
from tasks.language import base
from tasks.language.base import Base

NEEDED = ("config.json", "model.safetensors", TOKENIZER)


def packaged(files: Mapping[str, Artifact], name: str, licence: str) -> Base:
    """Raw `files` of a dataset, by name or path."""
    named = {Path(path).name: artifact for path, artifact in files.items()}
    if missing := [file for file in NEEDED if file not in named]:
        raise BadInput(f"The weights of {name} lack {', '.join(missing)}; add them to the files of their dataset.")
    with tempfile.TemporaryDirectory() as work:
        for file in NEEDED:
            shutil.copyfile(current().path(named[file]), Path(work) / file)
        return kept(Path(work), name, licence)


def from_folder(folder: str, name: str, licence: str) -> Base:
    return kept(base.own_folder(folder), name, licence)


def from_hub(name: str, revision: str, licence: str | None) -> Base:
    folder, stated = base.downloaded(name, revision, licence)
    return kept(folder, name, stated).model_copy(update={"revision": revision})


def kept(folder: Path, name: str, licence: str) -> Base:
    """A checked copy of what an encoder needs. BadInput, Refused: what cannot or must not be loaded."""
    base.check(folder)
    if not (folder / TOKENIZER).is_file():
        raise BadInput(f"{folder} has no {TOKENIZER}; save it with a fast tokenizer of transformers.")
    return base.stored(folder, name, licence)
