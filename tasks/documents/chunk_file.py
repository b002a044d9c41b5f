"""`chunks.jsonl`: the pieces of all documents, a JSON line each; read by the index, the service and the assistant."""

from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from tasks.errors import BadInput


class ChunkOptions(BaseModel):
    """Length and overlap of a chunk in tokens of the embedding model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int = Field(220, ge=8, le=512)
    overlap: int = Field(40, ge=0)


class Chunk(BaseModel):
    """A piece of one document. `id` stays while its document, heading and text stay; pages start at 1."""

    model_config = ConfigDict(frozen=True)

    id: str
    document: str
    revision: str
    number: int
    text: str
    heading: list[str] = []
    page: int
    last_page: int
    title: str
    language: str = ""
    date: str | None = None
    tenant: str = ""
    kind: Literal["text", "table"] = "text"
    tokens: int

    @property
    def embedded(self) -> str:
        """What is embedded and indexed: where the text stands, then the text."""
        place = " > ".join(dict.fromkeys(part for part in [self.title, *self.heading] if part))
        return f"{place}\n{self.text}" if place else self.text


def write_chunks(chunks: list[Chunk]) -> bytes:
    return b"".join(orjson.dumps(chunk.model_dump(), option=orjson.OPT_APPEND_NEWLINE) for chunk in chunks)


def read_chunks(path: Path) -> list[Chunk]:
    """All chunks of a file, in its order."""
    found = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                found.append(Chunk.model_validate(orjson.loads(line)))
            except ValueError:
                raise BadInput(f"Line {number} of {path} is no chunk; train again to rebuild the file.") from None
    return found
