"""What a fetch brings: the bytes as they were, in the store, with the part that each file belongs to."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact


class RawFile(BaseModel):
    """One file of a part; `origin` names it without credentials, `fetched` says that it is no local file."""

    model_config = ConfigDict(frozen=True)

    part: str
    origin: str
    artifact: Artifact
    fetched: bool = False


class Raw(BaseModel):
    """All files, in the order of the parts; `notes` are sentences for the one who runs it."""

    model_config = ConfigDict(frozen=True)

    files: list[RawFile]
    source: dict[str, Any]
    notes: list[str] = []

    @property
    def digests(self) -> list[str]:
        return [file.artifact.digest for file in self.files]
