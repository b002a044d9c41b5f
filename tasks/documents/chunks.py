"""Parsed documents cut into chunks: under headings, by sentences, in tokens of the embedding model."""

import json
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict
from tokenizers import Tokenizer

from tasks.artifacts import Artifact, canonical, current, file_sha256, sha256
from tasks.documents.chunk_file import Chunk, ChunkOptions, write_chunks
from tasks.documents.cutting import Piece, Scale, pieces
from tasks.documents.parsed import Parsed
from tasks.documents.parsed_file import ParsedDocument
from tasks.documents.pieces import Pieces, progress
from tasks.documents.sections import Section, sections, shortened
from tasks.errors import BadInput
from tasks.planning import closure

NAMESPACE = uuid.UUID("5b1d9a0e-3c0f-5d0a-9a52-7f6f1f3c7c11")
SPECIAL = 2  # tokens that the model puts before and behind a text
SHORTEST = 8  # tokens that a chunk's text always has room for


class Chunks(BaseModel):
    """`artifact` holds the chunks of all documents, by path and number; `tokens` are those of their texts."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    count: int
    documents: int
    tokens: int


def chunk_corpus(parsed: Artifact, tokenizer: Artifact, options: ChunkOptions) -> Chunks:
    """Cut every document that was read; those cut before with the same tokenizer and code come from the store.

    `tokenizer` is a folder with a tokenizer.json. Raises BadInput where there is no text at all.
    """
    store = current()
    folder = store.path(tokenizer)
    cutter = Cutter(folder, options)
    known = Pieces(store, "chunks", cutter.digest, options.model_dump(), closure(__name__))
    count: Counter[str] = Counter()
    source = store.path(parsed)
    with source.open("rb") as file:
        documents = sum(1 for _ in file)
    with tempfile.TemporaryDirectory() as temporary, progress("documents cut", documents, "chunks") as told:
        path = Path(temporary) / "chunks.jsonl"
        with path.open("wb") as file, source.open("rb") as lines:
            for line in lines:
                data = _cut(line, cutter, known)
                tokens = [orjson.loads(one)["tokens"] for one in data.split(b"\n") if one]
                count.update({"count": len(tokens), "documents": bool(tokens), "tokens": sum(tokens)})
                told(len(tokens))
                file.write(data)
        if not count["count"]:
            raise BadInput("The documents hold no text to search: pages that are only images need `ocr: true`.")
        return Chunks(artifact=store.put_file("chunks", path, ".jsonl"), **count)


class Cutter:
    """Cuts documents with the tokenizer of a weights folder."""

    def __init__(self, folder: Path, options: ChunkOptions) -> None:
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise BadInput(f"{folder} has no tokenizer.json; name the folder of an exported embedding model.")
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.scale = Scale(tokenizer)
        self.options = options
        self.limit = _limit(folder) - SPECIAL
        self.digest = sha256(f"{file_sha256(path)} {self.limit}".encode())

    def chunks(self, document: ParsedDocument) -> Iterator[Chunk]:
        parsed = document.parsed
        if parsed is None:
            return
        seen: Counter[bytes] = Counter()
        number = 0
        title = self._short(shortened(parsed.title), self.limit // 4)
        for section in sections(parsed.blocks):
            heading = self._fitting(title, section.heading)
            found = [piece for piece in self._pieces(section, title, heading) if piece.text.strip()]
            for piece, tokens in zip(found, self.scale.tokens([piece.text for piece in found]), strict=True):
                name = canonical([document.path, heading, piece.text])
                seen[name] += 1
                place = {"number": number, "heading": heading, "title": title, "tokens": tokens}
                yield chunk(document, parsed, piece, f"{name.decode()} {seen[name]}", place)
                number += 1

    def _pieces(self, section: Section, title: str, heading: list[str]) -> Iterator[Piece]:
        """What stands before the text counts too: the model takes so many tokens and drops the rest."""
        most = max(self.limit - self._prefix(title, heading), SHORTEST)
        room = min(self.options.tokens, most)
        yield from pieces(section.blocks, self.scale, room, min(self.options.overlap, room // 2), most)

    def _fitting(self, title: str, heading: list[str]) -> list[str]:
        """The path without its outermost headings, where all of it would take half of what the model takes."""
        while len(heading) > 1 and self._prefix(title, heading) > self.limit // 2:
            heading = heading[1:]
        return [self._short(text, self.limit // 4) for text in heading] if len(heading) == 1 else heading

    def _short(self, text: str, tokens: int) -> str:
        """Its beginning: some scripts take several tokens for a letter."""
        while len(text) > 1 and self.scale.tokens([text])[0] > tokens:
            text = text[: len(text) * 2 // 3] + "…"
        return text

    def _prefix(self, title: str, heading: list[str]) -> int:
        return self.scale.tokens([" > ".join(dict.fromkeys([title, *heading]))])[0]


def chunk(document: ParsedDocument, parsed: Parsed, piece: Piece, name: str, place: dict[str, object]) -> Chunk:
    return Chunk.model_validate(
        place
        | {
            "id": str(uuid.uuid5(NAMESPACE, name)),
            "document": document.path,
            "revision": document.digest,
            "text": piece.text,
            "page": piece.page,
            "last_page": piece.last_page,
            "language": parsed.language,
            "date": parsed.date,
            "tenant": document.tenant,
            "kind": "table" if piece.table else "text",
        }
    )


def _cut(line: bytes, cutter: Cutter, known: Pieces) -> bytes:
    digest, whole = orjson.loads(line)["digest"], sha256(line)
    data = known.get(digest, whole)
    if data is None:
        data = write_chunks(list(cutter.chunks(ParsedDocument.model_validate_json(line))))
        known.put(data, digest, whole)
    return data


def _limit(folder: Path) -> int:
    """Tokens that the model takes at once."""
    path = folder / "tokenizer_config.json"
    return int(json.loads(path.read_bytes())["model_max_length"]) if path.is_file() else 256
