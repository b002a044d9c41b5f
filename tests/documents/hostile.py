"""PDFs written by hand to harm or to fool their reader. Each gives bytes."""

import zlib
from collections.abc import Callable

from tests.documents import made


def raw(*objects: bytes) -> bytes:
    """A PDF of hand-written objects; the first is the catalog."""
    data, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(data))
    return data + head + table + tail


CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
FONT = b"/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"


def stream(body: bytes, entries: bytes = b"") -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(body), body)


def one_page(contents: bytes, *others: bytes, box: bytes = b"0 0 612 792", resources: bytes = FONT) -> bytes:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Contents 4 0 R /Resources << %s >> >>" % (box, resources)
    return raw(CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, contents, *others)


def zero_pages() -> bytes:
    return raw(CATALOG, b"<< /Type /Pages /Kids [] /Count 0 >>")


def page_tree_loop() -> bytes:
    return raw(CATALOG, b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>")


def huge_count() -> bytes:
    return raw(CATALOG, b"<< /Type /Pages /Kids [] /Count 100000000 >>")


def giant_mediabox(size: int = 1_000_000) -> bytes:
    """A page of 350 m a side; a thousand times that is beyond what floats can place letters on."""
    text = b"BT /F1 12 Tf 72 700 Td (%s) Tj ET" % made.SHOWN.encode()
    return one_page(stream(text), box=b"0 0 %d %d" % (size, size))


def torn_page() -> bytes:
    """Of its two pages the second is not there."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Resources << %s >> >>" % FONT
    text = stream(b"BT /F1 12 Tf 72 700 Td (Water flows.) Tj ET")
    pages = b"<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>"
    return raw(CATALOG, pages, page, b"<< /Type /Pages /Kids [] /Count 1 >>", text)


def nested_bomb(depth: int = 12, calls: int = 12) -> bytes:
    """About 3 kB: each form draws the next one `calls` times, which is calls**depth drawings: it never ends."""
    forms = []
    for level in range(depth):
        target = b"/X %d 0 R" % (level + 6)
        entries = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << %s >> >>" % target
        forms.append(stream(b"/X Do " * calls, entries))
    leaf = stream(b"BT /F1 9 Tf (x) Tj ET", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << %s >>" % FONT)
    return one_page(stream(b"/X Do"), *forms, leaf, resources=b"/XObject << /X 5 0 R >>")


def flate_bomb(megabytes: int = 430) -> bytes:
    """A page's content that unpacks to `megabytes` from a thousandth of it."""
    packer, piece = zlib.compressobj(9), b"q Q 0 0 m n    \n" * 65536
    packed = b"".join(packer.compress(piece) for _ in range(megabytes)) + packer.flush()
    return one_page(stream(packed, b"/Filter /FlateDecode"))


UNREADABLE: dict[str, Callable[[], bytes]] = {
    "empty": made.empty,
    "header only": made.header_only,
    "page tree loop": page_tree_loop,
    "huge count": huge_count,
    "picture": made.png,
    "zero pages": zero_pages,
    "user password": made.encrypted_user,
}
