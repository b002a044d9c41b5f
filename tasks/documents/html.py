"""HTML with the standard library's parser: what a browser would show, without navigation and scripts."""

import re
from html.parser import HTMLParser
from typing import Literal

from tasks.documents.language import language
from tasks.documents.parsed import Block, Heading, Parsed
from tasks.documents.text import markdown_rows, marks_of, visible
from tasks.errors import BadInput

SKIPPED = {"script", "style", "nav", "noscript", "template", "svg", "iframe", "object", "button", "select", "dialog"}
VOID_TAGS = "area base br col embed hr img input link meta source track wbr"
BLOCK_TAGS = (
    "p div section article main aside header footer blockquote ul ol li dl dt dd pre table thead tbody tfoot tr td th "
    "h1 h2 h3 h4 h5 h6 form fieldset figure figcaption hr address details summary body html head title caption"
)
VOID, BREAKING = frozenset(VOID_TAGS.split()), frozenset(BLOCK_TAGS.split())
HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
ENDED_BY = {  # an element that is left open ends where one of these begins
    "p": BREAKING - {"html", "head", "body"},
    "li": {"li"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "td": {"td", "th", "tr"},
    "th": {"td", "th", "tr"},
    "tr": {"tr", "tbody", "tfoot"},
    "head": {"body"},
}
UNSEEN = re.compile(r"display:none|visibility:hidden|font-size:0(?![.\d])|opacity:0(?![.\d])|text-indent:-\d{3,}")
DATES = ("date", "article:published_time", "dc.date", "dcterms.date")
DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
DEEP = 300  # open elements: more are hostile or broken

Attributes = list[tuple[str, str | None]]


class Reader(HTMLParser):
    """Collects blocks; `skipping` is the place in the stack of the outermost element that is not shown."""

    def __init__(self, name: str) -> None:
        super().__init__(convert_charrefs=True)
        self.name = name
        self.blocks: list[Block] = []
        self.stack: list[str] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.skipping: int | None = None
        self.removed = False
        self.title = ""
        self.date: str | None = None
        self.lang = ""

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        held = dict(attrs)
        self.notice(tag, held)
        while self.stack and tag in ENDED_BY.get(self.stack[-1], ()):
            self.leave(len(self.stack) - 1)
        if tag in BREAKING and self.skipping is None:
            self.begin(tag)
        if tag in VOID:
            if tag == "br" and self.skipping is None:
                self.words.append("\n" if "pre" in self.stack else " ")
            elif tag == "img" and self.skipping is None and held.get("alt"):
                self.words.append(f" {held['alt']} ")
            return
        self.stack.append(tag)
        if len(self.stack) > DEEP:
            raise BadInput(
                f"{self.name} nests more than {DEEP} elements in one another: convert it to Markdown or PDF."
            )
        if self.skipping is None and (tag in SKIPPED or unseen(held)):
            self.removed |= unseen(held)
            self.skipping = len(self.stack) - 1

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID and self.stack and self.stack[-1] == tag and tag in SKIPPED:
            self.leave(len(self.stack) - 1)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.stack:
            self.leave(len(self.stack) - 1 - self.stack[::-1].index(tag))

    def handle_data(self, data: str) -> None:
        if self.skipping is None:
            self.words.append(data)

    def notice(self, tag: str, held: dict[str, str | None]) -> None:
        if tag == "html":
            self.lang = (held.get("lang") or "")[:2].lower()
        stated = (held.get("name") or held.get("property") or "").lower()
        if tag == "meta" and stated in DATES and self.date is None:
            day = DAY.match(held.get("content") or "")
            self.date = day[0] if day else None

    def begin(self, tag: str) -> None:
        if "table" not in self.stack:
            self.flush()
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.words = []
        if tag == "li":
            self.words.append("- ")

    def leave(self, depth: int) -> None:
        """Close the element at this depth and all that are open within it."""
        for tag in reversed(self.stack[depth:]):
            if self.skipping is None and tag in BREAKING:
                self.end(tag)
            self.stack.pop()
            if self.skipping is not None and len(self.stack) <= self.skipping:
                self.skipping = None

    def end(self, tag: str) -> None:
        within = self.stack.count("table")
        if tag in ("td", "th") and within == 1 and self.rows:
            self.rows[-1].append(visible(" ".join("".join(self.words).split())))
            self.words = []
        elif tag == "table" and within == 1:
            rows = [row for row in self.rows if any(row)]
            if rows:
                self.blocks.append(Block(kind="table", text=markdown_rows(rows), page=1))
            self.rows, self.words = [], []
        elif tag == "title":
            self.title = self.title or " ".join(visible("".join(self.words)).split())
            self.words = []
        elif not within:
            self.flush()

    def flush(self) -> None:
        text, self.words = visible("".join(self.words)), []
        heading = next(
            (tag for tag in reversed(self.stack) if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()), ""
        )
        said = text.strip("\n").rstrip() if "pre" in self.stack else " ".join(text.split())
        if not said.strip() or said == "-":
            return
        kind: Literal["heading", "code", "text"] = "heading" if heading else "code" if "pre" in self.stack else "text"
        self.blocks.append(Block(kind=kind, text=said, page=1, level=int(heading[1]) if heading else 0))


def unseen(held: dict[str, str | None]) -> bool:
    style = "".join((held.get("style") or "").lower().split())
    return "hidden" in held or (held.get("aria-hidden") or "").lower() == "true" or bool(UNSEEN.search(style))


def read_html(text: str, name: str) -> Reader:
    reader = Reader(name)
    try:
        reader.feed(text)
        reader.close()
    except AssertionError as error:  # how the parser ends at declarations that it does not know
        raise BadInput(f"{name} is not HTML that can be read ({str(error)[:80]}): save it again.") from None
    reader.leave(0)
    reader.flush()
    return reader


def parse_html(text: str, name: str) -> Parsed:
    reader = read_html(text, name)
    heads = [Heading(level=block.level, title=block.text, page=1) for block in reader.blocks if block.kind == "heading"]
    top = min(heads, key=lambda heading: heading.level).title if heads else ""
    said = language(" ".join(block.text for block in reader.blocks if block.kind != "code"))
    return Parsed(
        format="html",
        title=reader.title or top,
        pages=1,
        language=said or (reader.lang if reader.lang.isalpha() else ""),
        date=reader.date,
        outline=heads,
        blocks=reader.blocks,
        marks=marks_of(text) or (["hidden text removed"] if reader.removed else []),
    )
