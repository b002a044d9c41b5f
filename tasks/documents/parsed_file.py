"""`parsed.jsonl`: what was read of each document of a corpus, a JSON line each."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.documents.parsed import Parsed
from tasks.errors import BadInput


class ParsedDocument(BaseModel):
    """A line of the parsed corpus: a document of the manifest with what was read in it."""

    model_config = ConfigDict(frozen=True)

    path: str
    digest: str
    tenant: str = ""
    parsed: Parsed | None = None
    problem: str | None = None


def read_parsed(path: Path) -> Iterator[ParsedDocument]:
    """The documents of a parsed corpus, one at a time."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield ParsedDocument.model_validate_json(line)
            except ValidationError:
                raise BadInput(f"Line {number} of {path} is no document; train again to rebuild the file.") from None
