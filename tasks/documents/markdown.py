"""Markdown with markdown-it: headings, paragraphs, lists, tables as rows, code; title and date from front matter."""

import datetime
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tasks.documents.html import read_html
from tasks.documents.language import language
from tasks.documents.parsed import Block, Heading, Parsed
from tasks.documents.text import markdown_rows, marks_of, visible

FRONT = re.compile(r"\A---[^\S\n]*\n(.*?)\n(?:---|\.\.\.)[^\S\n]*(?:\n|\Z)", re.DOTALL)
FIELD = re.compile(r"^([A-Za-z][\w-]*):[^\S\n]*(\S.*?)[^\S\n]*$", re.MULTILINE)
DAY = re.compile(r"\d{4}-\d\d-\d\d")
LINE_BREAK = ("softbreak", "hardbreak")


def parse_markdown(text: str, name: str) -> Parsed:
    front, body = split_front_matter(text)
    walk = Walk(name)
    walk.read(MarkdownIt("commonmark").enable("table").parse(body))
    heads = [Heading(level=block.level, title=block.text, page=1) for block in walk.blocks if block.kind == "heading"]
    top = min(heads, key=lambda heading: heading.level).title if heads else ""
    return Parsed(
        format="markdown",
        title=visible(front.get("title", "")) or top,
        pages=1,
        language=language(" ".join(block.text for block in walk.blocks if block.kind != "code")),
        date=day(front.get("date", "")),
        outline=heads,
        blocks=walk.blocks,
        marks=marks_of(text) or (["hidden text removed"] if walk.removed else []),
    )


def split_front_matter(text: str) -> tuple[dict[str, str], str]:
    """Its plain fields, read line by line (no YAML proper: nothing here needs it), and the text after it."""
    found = FRONT.match(text)
    if not found:
        return {}, text
    fields = {key: value.strip("\"' ") for key, value in FIELD.findall(found[1])}
    return fields, text[found.end() :]


def day(stated: str) -> str | None:
    found = DAY.match(stated)
    try:
        return datetime.date.fromisoformat(found[0]).isoformat() if found else None
    except ValueError:
        return None


class Walk:
    """Collects blocks from the flat list of tokens; lists and tables become one block each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.blocks: list[Block] = []
        self.lists: list[int] = []  # the next number of each open list, 0 for bullets
        self.items: list[str] = []
        self.marker = ""
        self.rows: list[list[str]] = []
        self.table = False
        self.level = 0
        self.removed = False

    def read(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            kind = token.type
            if kind == "heading_open":
                self.level = int(token.tag[1])
            elif kind in ("bullet_list_open", "ordered_list_open"):
                start = token.attrGet("start")
                self.lists.append(0 if kind == "bullet_list_open" else int(start) if start is not None else 1)
            elif kind in ("bullet_list_close", "ordered_list_close"):
                self.close_list()
            elif kind == "list_item_open":
                self.open_item(token.markup)
            elif kind in ("table_open", "table_close"):
                self.turn_table(kind == "table_open")
            elif kind == "tr_open":
                self.rows.append([])
            elif kind == "inline":
                self.put("text", self.words(token))
            elif kind in ("fence", "code_block"):
                self.put("code", visible(token.content).rstrip())
            elif kind == "html_block":
                self.put("text", self.html(token.content))

    def open_item(self, markup: str) -> None:
        number = self.lists[-1]
        self.marker = f"{number}. " if number or markup in ".)" else "- "
        self.lists[-1] += 1 if self.marker != "- " else 0

    def close_list(self) -> None:
        self.lists.pop()
        self.marker = ""
        if not self.lists and self.items:
            self.blocks.append(Block(kind="text", text="\n".join(self.items), page=1))
            self.items = []

    def turn_table(self, begins: bool) -> None:
        if not begins and any(any(row) for row in self.rows):
            self.emit("table", markdown_rows(self.rows))
        self.table, self.rows = begins, []

    def put(self, kind: str, text: str) -> None:
        if self.table:
            self.rows[-1].append(text)
        elif text.strip():
            self.emit(kind, text)

    def emit(self, kind: str, text: str) -> None:
        if self.lists:
            indent = "  " * (len(self.lists) - 1)
            lead = self.marker or ("  " if self.items else "")
            self.items.append(indent + lead + text)
            self.marker = ""
        elif self.level:
            self.blocks.append(Block(kind="heading", text=" ".join(text.split()), page=1, level=self.level))
        elif kind == "code":
            self.blocks.append(Block(kind="code", text=text, page=1))
        else:
            self.blocks.append(Block(kind="table" if kind == "table" else "text", text=text, page=1))
        self.level = 0

    def words(self, inline: Token) -> str:
        parts: list[str] = []
        for token in inline.children or []:
            if token.type in LINE_BREAK:
                parts.append(" ")
            elif token.type != "html_inline":
                parts.append(token.content)  # an image's is its description
        return visible("".join(parts)).strip()

    def html(self, content: str) -> str:
        reader = read_html(content, self.name)
        self.removed |= reader.removed
        return "\n".join(block.text for block in reader.blocks)
