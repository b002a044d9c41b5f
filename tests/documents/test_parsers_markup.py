"""Markdown and HTML: what a reader sees, in order, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.documents.markdown import split_front_matter
from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.parsers import parse_bytes
from tasks.errors import BadInput

MARKDOWN = """---
title: "The course guide"
date: 2024-09-01
columns: 2
---
# Water

First *paragraph*
of `two` lines with a [link](http://x).

- one
- two
  1. inner
  2. other
- three

| Name | Score |
| ---- | ----: |
| A    | 1     |
| B|   |

```python
x = 1

y = 2
```

## Sub

> Quoted words.

<div>Shown <b>here</b><span style="display: none">never</span></div>
<!-- not shown -->
"""
HTML = """<!doctype html><html lang="en"><head><title> Dam  safety </title>
<meta property="article:published_time" content="2023-05-06T10:00:00Z"><style>p {color: red}</style></head>
<body><nav><ul><li>Home</ul></nav><h1>Dams &amp; weirs</h1><p>First <b>bold</b>
line.<p>Second<br>line. <img alt="A weir" src="x">
<ul><li>one<li>two</ul>
<table><tr><th>Name<th>Score</tr><tr><td>A|B<td><p>1</p></table>
<pre>a = 1
  b = 2</pre>
<div hidden>secret orders</div><p style="font-size: 0px">tiny orders</p><script>let x = "<p>no</p>"</script>
<div aria-hidden="true"><div>also secret</div></div>After the hidden.</body></html>"""


def parse(text: str, name: str) -> Parsed:
    return parse_bytes(text.encode(), name, PageOptions())


def test_markdown_comes_as_blocks() -> None:
    parsed = parse(MARKDOWN, "a.md")
    assert (parsed.format, parsed.title, parsed.date, parsed.pages) == ("markdown", "The course guide", "2024-09-01", 1)
    assert [(block.kind, block.level, block.text) for block in parsed.blocks] == [
        ("heading", 1, "Water"),
        ("text", 0, "First paragraph of two lines with a link."),
        ("text", 0, "- one\n- two\n  1. inner\n  2. other\n- three"),
        ("table", 0, "| Name | Score |\n| --- | --- |\n| A | 1 |\n| B |  |"),
        ("code", 0, "x = 1\n\ny = 2"),
        ("heading", 2, "Sub"),
        ("text", 0, "Quoted words."),
        ("text", 0, "Shown here"),
    ]
    assert [(heading.level, heading.title) for heading in parsed.outline] == [(1, "Water"), (2, "Sub")]
    assert parsed.marks == ["hidden text removed"]


def test_markdown_without_front_matter_is_named_by_its_first_heading_or_file() -> None:
    assert parse("## Small\n\n# Large\n\ntext", "a.md").title == "Large"
    assert parse("only text", "my_notes.md").title == "my notes"
    assert parse("---\n\ntext", "a.md").blocks[0].text == "text"


def test_front_matter_is_split_off() -> None:
    assert split_front_matter("---\ntitle: A: b\ncolumns: 2\nlist:\n  - x\n---\nBody") == (
        {"title": "A: b", "columns": "2"},
        "Body",
    )
    assert parse("---\ndate: 2024-13-45\n---\nBody", "a.md").date is None


def test_html_comes_as_it_is_seen() -> None:
    parsed = parse(HTML, "a.html")
    assert (parsed.format, parsed.title, parsed.date, parsed.language) == ("html", "Dam safety", "2023-05-06", "en")
    assert [(block.kind, block.text) for block in parsed.blocks] == [
        ("heading", "Dams & weirs"),
        ("text", "First bold line."),
        ("text", "Second line. A weir"),
        ("text", "- one"),
        ("text", "- two"),
        ("table", "| Name | Score |\n| --- | --- |\n| A\\|B | 1 |"),
        ("code", "a = 1\n  b = 2"),
        ("text", "After the hidden."),
    ]
    assert parsed.marks == ["hidden text removed"]


def test_html_in_its_stated_encoding() -> None:
    page = '<html><head><meta charset="iso-8859-1"></head><p>Käse'.encode("latin-1")
    assert parse_bytes(page, "a.html", PageOptions()).blocks[0].text == "Käse"


@pytest.mark.parametrize("text", ["<div>" * 50_000, "<table><tr><td>" * 2_000, "<![x[ y"])
def test_html_that_is_nested_too_deep_or_broken_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"a\.html (nests more than 300|is not HTML)"):
        parse("<html>" + text + "bottom", "a.html")


MARKDOWN_PIECES = [
    "# ",
    "- ",
    "1. ",
    "> ",
    "| a | b |\n|---|---|\n",
    "```",
    "\n",
    "\n\n",
    "    ",
    "*",
    "`",
    "[x](y)",
    "word ",
]
HTML_PIECES = [
    "<b>",
    "</b>",
    "<table>",
    "<td>",
    "</table>",
    "<li>",
    "<p hidden>",
    "</p>",
    "<!--",
    "-->",
    "<h2>",
    "</h2>",
]
PIECES = [*MARKDOWN_PIECES, *HTML_PIECES, "---\n", "<![", "<!", "<?", "&#", "</", "<pre>", "<br/>"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=40).map("".join))
def test_any_markup_is_read_or_refused(text: str) -> None:
    for name in ("a.md", "a.html"):
        try:
            parsed = parse(text, name)
        except BadInput:
            continue
        assert all(block.text.strip() for block in parsed.blocks)
        assert all(block.level > 0 for block in parsed.blocks if block.kind == "heading")
