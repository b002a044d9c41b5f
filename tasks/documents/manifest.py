"""Which documents a corpus holds: the paths and revisions that everything later is made of."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact


class Document(BaseModel):
    """A file of the corpus: `path` (POSIX, from the corpus root) names it, `digest` is its revision."""

    model_config = ConfigDict(frozen=True)

    path: str
    digest: str
    size: int
    artifact: Artifact
    tenant: str = ""
    uploaded: bool = False


class Corpus(BaseModel):
    """All documents, sorted by path; `notes` are sentences for the one who runs it."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    documents: list[Document]
    digest: str
    source: dict[str, Any] = {}
    notes: list[str] = []


class Changes(BaseModel):
    """What a corpus changed in the one before; a rename is seen by its digest."""

    model_config = ConfigDict(frozen=True)

    added: list[str] = []
    changed: list[str] = []
    removed: list[str] = []
    renamed: list[tuple[str, str]] = []
    unchanged: int = 0


class CorpusSnapshot(BaseModel):
    """A numbered version of a corpus; `manifest` is the stored Corpus."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    dataset: str
    version: int
    digest: str
    documents: int
    manifest: Artifact
    changes: Changes
    source: dict[str, Any] = {}
    git_commit: str | None = None
