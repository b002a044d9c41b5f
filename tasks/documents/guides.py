"""Markdown rendered to PDF, for folders that ask for it: tables, columns, running headers and page numbers."""

from io import BytesIO

from markdown_it import MarkdownIt

from tasks.documents.markdown import split_front_matter

A4 = (595.0, 842.0)  # points
MARGIN = 64.0
GAP = 22.0
SMALL = 8.5
STYLE = """
body { font-family: sans-serif; font-size: 10.5pt; line-height: 1.35; }
h1 { font-size: 17pt; } h2 { font-size: 12.5pt; } p { text-align: justify; }
td, th { border: 0.6pt solid #444; padding: 3pt; } pre { font-size: 9pt; }
"""


def render_markdown(text: str, title: str) -> bytes:
    """A PDF of the text; the same text gives the same bytes. Front matter: `title`, `date`, `columns` (1 or 2)."""
    import pymupdf

    about, body = split_front_matter(text)
    title = str(about.get("title") or title)
    story = pymupdf.Story(html=MarkdownIt("commonmark").enable("table").render(body), user_css=STYLE)
    columns = _columns(2 if str(about.get("columns")) == "2" else 1)
    drawn = BytesIO()
    writer = pymupdf.DocumentWriter(drawn)
    more = True
    while more:
        device = writer.begin_page(pymupdf.Rect(0, 0, *A4))
        for column in columns:
            more, _ = story.place(pymupdf.Rect(column))
            story.draw(device)
            if not more:
                break
        writer.end_page()
    writer.close()
    with pymupdf.open("pdf", drawn.getvalue()) as document:
        for number, page in enumerate(document, start=1):
            page.insert_text((MARGIN, MARGIN / 2), title, fontsize=SMALL)
            page.insert_text((A4[0] / 2 - 24, A4[1] - MARGIN / 2), f"Page {number} of {len(document)}", fontsize=SMALL)
        date = str(about.get("date") or "").replace("-", "")
        document.set_metadata({"title": title, "creationDate": f"D:{date}" if date else ""})
        return bytes(document.tobytes(garbage=3, deflate=True, no_new_id=True))


def _columns(count: int) -> list[tuple[float, float, float, float]]:
    width = (A4[0] - 2 * MARGIN - GAP * (count - 1)) / count
    lefts = [MARGIN + number * (width + GAP) for number in range(count)]
    return [(left, MARGIN, left + width, A4[1] - MARGIN) for left in lefts]
