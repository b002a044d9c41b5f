"""Images of pages: made once, each for itself, from an archive that may be anything."""

import io
import zipfile
from pathlib import Path

import orjson
import pytest

from tasks.artifacts import Artifact, Store
from tasks.documents.page_images import render_pages, stored_of
from tasks.documents.pool import Result
from tests.documents import made
from tests.documents.folders import written
from tests.documents.test_parse import TEXTS, manifest, parse


def test_pages_with_text_get_images(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", TEXTS | {"e.pdf": made.text_pdf("One page.", "", "Another page."), "f.pdf": b""})
    found, parsed = manifest(folder), parse(folder)
    rendered = render_pages(found, parsed.artifact, 60)
    index = orjson.loads(store.read_bytes(rendered.artifact))
    assert {path: [*pages] for path, pages in index.items()} == {"e.pdf": ["1", "3"]}
    image = store.read_bytes(Artifact.model_validate(index["e.pdf"]["3"]))
    assert image.startswith(b"\x89PNG") and len(rendered.images) == 2 and rendered.rendered_now == 1
    assert render_pages(found, parsed.artifact, 60).rendered_now == 0
    store.place(rendered.images[0].uri).unlink()
    again = render_pages(found, parsed.artifact, 60)
    assert again.rendered_now == 1 and again.artifact == rendered.artifact and store.whole(rendered.images[0])


def test_a_page_that_cannot_be_drawn_takes_no_other_along(tmp_path: Path, store: Store) -> None:
    pages = [f"Page {number}." for number in range(1, 36)]
    found = manifest(written(tmp_path / "in", {"a.pdf": made.text_pdf(*pages)}))
    lines = store.read_bytes(parse(tmp_path / "in").artifact).replace(b'"page":20,', b'"page":99,')
    rendered = render_pages(found, store.put_bytes("parsed", lines, ".jsonl"), 20)
    assert [problem.reason for problem in rendered.problems] == ["1 of its pages have no image: 99"]
    drawn = orjson.loads(store.read_bytes(rendered.artifact))["a.pdf"]
    assert drawn.keys() == {str(number) for number in range(1, 36) if number != 20}
    assert (rendered.passing, rendered.rendered_now) == ([], 1)
    again = render_pages(found, store.put_bytes("parsed", lines, ".jsonl"), 20)
    assert (again.rendered_now, again.problems, again.artifact) == (0, rendered.problems, rendered.artifact)


def packed(data: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("1", data)
    return archive.getvalue()


GOOD = packed(b"image" * 100)
ARCHIVES = {
    "words": b"no archive",
    "torn data": GOOD[:31] + b"\xff\xff\xff" + GOOD[34:],
    "locked": GOOD.replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0"),
    "unknown packing": GOOD.replace(b"PK\x01\x02\x14\x03\x14\0\0\0\x08\0", b"PK\x01\x02\x14\x03\x14\0\0\0\x63\0"),
    "bomb": packed(bytes(40 << 20)),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_that_is_none_is_a_problem(store: Store, what: str) -> None:
    assert ARCHIVES[what] != GOOD
    assert "its reader gave" in stored_of(Result(number=0, body=ARCHIVES[what]), [1], store)
    assert list(stored_of(Result(number=0, body=GOOD), [1, 2], store)) == ["1"]
