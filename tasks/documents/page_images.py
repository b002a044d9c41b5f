"""Images of the pages that an answer can cite: those of PDFs that hold text."""

import io
import zipfile
import zlib
from collections.abc import Iterator

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.artifacts import Artifact, Store, current
from tasks.documents import jobs
from tasks.documents.manifest import Corpus, Document
from tasks.documents.parse import Problem, some_pages
from tasks.documents.parsed_file import ParsedDocument, read_parsed
from tasks.documents.pieces import Pieces, log, progress
from tasks.documents.pool import Limits, Result, Work, run
from tasks.planning import closure

SECONDS = 2.0  # more for each page
AT_ONCE = 16  # pages: one that ends its reader takes no more than these along
LARGEST = 32 << 20  # bytes of an image
Images = dict[str, Artifact]  # by page


class Rendered(BaseModel):
    """`artifact` is JSON: the images of each document by page, {path: {page: artifact}}; all of them in `images`.

    `passing` are the documents whose problem may be gone another time: such a result stands for this run alone."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    images: list[Artifact]
    problems: list[Problem]
    rendered_now: int
    passing: list[str] = []


def render_pages(manifest: Artifact, parsed: Artifact, dpi: int = 110) -> Rendered:
    """Render what was not rendered before; a page that cannot be drawn has no image, and is reported.

    Raises Unavailable where this machine is to blame.
    """
    store = current()
    raw = {one.path: one for one in Corpus.model_validate_json(store.read_bytes(manifest)).documents}
    cited = {one.path: pages for one in read_parsed(store.path(parsed)) if (pages := cited_pages(one))}
    known = Pieces(store, "images", dpi, Limits().model_dump(), closure("tasks.documents.images"))
    found = {path: held(raw[path], pages, known, store) for path, pages in cited.items()}
    new = [path for path, images in found.items() if images is None]
    passing, why = set[str](), dict[str, str]()
    for path, images, problem, passes in _rendered([(raw[path], cited[path]) for path in new], dpi, store):
        found[path] = images
        why[path] = problem
        if passes:
            passing.add(path)
        else:
            told = {page: one.model_dump() for page, one in images.items()}
            known.put(orjson.dumps(told), raw[path].digest, cited[path])
    index = {path: images for path, images in found.items() if images}
    plain = {path: {page: one.model_dump() for page, one in images.items()} for path, images in index.items()}
    return Rendered(
        artifact=store.put_json("pages", plain),
        images=[one for images in index.values() for one in images.values()],
        problems=list(_problems(cited, index, why)),
        rendered_now=sum(path in index for path in new),
        passing=sorted(passing),
    )


def _problems(cited: dict[str, list[int]], index: dict[str, Images], why: dict[str, str]) -> Iterator[Problem]:
    """The documents of which a page has no image."""
    for path, pages in cited.items():
        if missing := [page for page in pages if str(page) not in index.get(path, {})]:
            told = f" ({why[path]})" if why.get(path) else ""
            reason = f"{len(missing)} of its pages have no image: {some_pages(missing)}{told}"
            log.warning("%s: %s", path, reason)
            yield Problem(document=path, reason=reason)


def cited_pages(document: ParsedDocument) -> list[int]:
    """The pages of a PDF that hold text."""
    if document.parsed is None or document.parsed.format != "pdf":
        return []
    return sorted({block.page for block in document.parsed.blocks})


def held(document: Document, pages: list[int], known: Pieces, store: Store) -> Images | None:
    """The images that were made before; None where there are none, or one is not whole."""
    piece = known.get(document.digest, pages)
    if piece is None:
        return None
    try:
        images = {page: Artifact.model_validate(one) for page, one in orjson.loads(piece).items()}
    except (ValueError, ValidationError):
        return None
    return images if all(store.whole(one) for one in images.values()) else None


def _rendered(
    waiting: list[tuple[Document, list[int]]], dpi: int, store: Store
) -> Iterator[tuple[str, Images, str, bool]]:
    """The images of each document, why some are missing, and whether they might come another time."""
    parts = [
        (number, pages[start : start + AT_ONCE])
        for number, (_, pages) in enumerate(waiting)
        for start in range(0, len(pages), AT_ONCE)
    ]
    works = [_work(waiting[number][0], pages, dpi, store) for number, pages in parts]
    images: list[Images] = [{} for _ in waiting]
    left = [sum(number == part for part, _ in parts) for number in range(len(waiting))]
    whys, passing = [""] * len(waiting), set[int]()
    with progress("documents rendered", len(works), "pages") as count:
        for result in run(jobs.render_pages, works, preload=("tasks.documents.images",)):
            number, pages = parts[result.number]
            left[number] -= 1
            made = result.problem or stored_of(result, pages, store)
            if isinstance(made, str):
                whys[number] = made
            else:
                images[number] |= made
            if result.passing:
                passing.add(number)
            if not left[number]:
                ordered = dict(sorted(images[number].items(), key=lambda item: int(item[0])))
                yield waiting[number][0].path, ordered, whys[number], number in passing
            count(len(pages))


def _work(document: Document, pages: list[int], dpi: int, store: Store) -> Work:
    told = {"name": document.path, "pages": pages, "dpi": dpi}
    return Work(path=store.path(document.artifact), size=document.size, told=told, more=SECONDS * len(pages))


def stored_of(result: Result, pages: list[int], store: Store) -> Images | str:
    """The images of an archive that a child made: it may be anything."""
    try:
        with zipfile.ZipFile(io.BytesIO(result.body or b"")) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            if max(sizes.values(), default=0) > LARGEST:
                return "its reader gave an image that is too large"
            there = [str(page) for page in pages if str(page) in sizes]
            return {page: store.put_bytes("pages", archive.read(page), ".png") for page in there}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):
        return "its reader gave something else than images"
