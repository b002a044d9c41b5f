"""What reading a document gives: blocks of text in reading order, with pages, headings and what was wrong with it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Format = Literal["pdf", "markdown", "html", "text"]
Mark = Literal["repaired", "garbled", "encrypted", "image only", "hidden text removed", "ocr"]


class PageOptions(BaseModel):
    """How documents are read; `ocr` reads pages that hold only an image, where Tesseract has the languages for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tables: bool = True
    ocr: bool = False
    ocr_languages: tuple[str, ...] = Field(("eng",), min_length=1)
    max_pages: int = Field(5000, ge=1)


class Heading(BaseModel):
    """One entry of the outline; levels start at 1, pages too."""

    model_config = ConfigDict(frozen=True)

    level: int
    title: str
    page: int


class Block(BaseModel):
    """A paragraph, heading, table (rows as Markdown) or code; `level` is a heading's."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["heading", "text", "table", "code"]
    text: str
    page: int
    level: int = 0


class Parsed(BaseModel):
    """One document. `date` is an ISO day from its own metadata; `labels` are printed page numbers where they differ.

    `unread` are the pages on which reading failed."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    format: Format
    title: str
    pages: int
    language: str = ""
    date: str | None = None
    outline: list[Heading] = []
    blocks: list[Block] = []
    marks: list[Mark] = []
    labels: list[str] = []
    unread: list[int] = []
