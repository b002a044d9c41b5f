"""Chunks for tests of the questions: a small library of documents about nothing in particular."""

from uuid import NAMESPACE_URL, uuid5

from tasks.artifacts import Artifact, current
from tasks.documents.chunk_file import Chunk, write_chunks


def chunk(document: str, number: int, text: str, heading: str = "", title: str = "", tenant: str = "") -> Chunk:
    return Chunk(
        id=str(uuid5(NAMESPACE_URL, f"{document} {number} {text}")),
        document=document,
        revision="1" * 64,
        number=number,
        text=text,
        heading=[heading] if heading else [],
        page=number + 1,
        last_page=number + 1,
        title=title,
        language="en",
        tenant=tenant,
        tokens=len(text.split()),
    )


def put_chunks(chunks: list[Chunk]) -> Artifact:
    return current().put_bytes("chunks", write_chunks(chunks), ".jsonl", {"count": len(chunks)})
