"""The large artifacts that a release names by digest: baked beside it, or in the artifact store of the settings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from tasks.artifacts import Artifact, checked_join, file_sha256, folder_digest, store_at
from tasks.errors import NotFound, Refused
from tasks.settings import load

BAKED = "pieces"


def piece(folder: Path, artifact: Artifact) -> Path:
    """The local path of a whole artifact of the release in `folder`."""
    baked = place(folder, artifact)
    if baked.exists():
        digest = folder_digest(baked) if baked.is_dir() else file_sha256(baked)
        if digest != artifact.meta.get("sha256", artifact.digest):
            raise Refused(f"{baked} was altered; build the bento again.")
        return baked
    where = load().store
    try:
        return store_at(where).path(artifact)
    except NotFound:
        raise NotFound(
            f"The release in {folder} needs {artifact.uri}, which is not whole in the artifact store {where}; set "
            "PENSTOCK_ARTIFACTS to the store that it was trained with, or train it again."
        ) from None


def place(folder: Path, artifact: Artifact) -> Path:
    """Where the artifact lies when it is baked beside the release."""
    return checked_join(folder / BAKED, artifact.digest)


def named(folder: Path, facts: dict[str, Any]) -> Iterator[Artifact]:
    """The artifacts that release.json names at its top, and those that a JSON artifact among them names."""
    for value in facts.values():
        if artifact := as_artifact(value):
            yield artifact
            if artifact.uri.endswith(".json"):
                yield from _inside(orjson.loads(piece(folder, artifact).read_bytes()))


def as_artifact(value: Any) -> Artifact | None:
    """The artifact that a JSON value tells of; None where it is something else."""
    if not isinstance(value, dict) or not value.keys() >= {"uri", "digest", "kind"}:
        return None
    try:
        return Artifact.model_validate(value)
    except ValidationError:
        return None


def _inside(value: Any) -> Iterator[Artifact]:
    if artifact := as_artifact(value):
        yield artifact
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _inside(one)
