"""Images of the pages that an answer can cite: those of PDFs that hold text."""

import io
import zipfile
from collections.abc import Iterator

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.artifacts import Artifact, Store, current
from tasks.documents import jobs
from tasks.documents.manifest import Corpus, Document
from tasks.documents.parse import Problem
from tasks.documents.parsed_file import ParsedDocument, read_parsed
from tasks.documents.pieces import Pieces, log, progress
from tasks.documents.pool import Result, Work, run
from tasks.planning import closure

SECONDS = 2.0  # more for each page
Images = dict[str, Artifact]  # by page


class Rendered(BaseModel):
    """`artifact` is JSON: the images of each document by page, {path: {page: artifact}}; all of them in `images`."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    images: list[Artifact]
    problems: list[Problem]
    rendered_now: int


def render_pages(manifest: Artifact, parsed: Artifact, dpi: int = 110) -> Rendered:
    """Render what was not rendered before; a document that cannot be drawn has no images, and is reported."""
    store = current()
    raw = {one.path: one for one in Corpus.model_validate_json(store.read_bytes(manifest)).documents}
    cited = {one.path: pages for one in read_parsed(store.path(parsed)) if (pages := cited_pages(one))}
    known = Pieces(store, "images", dpi, closure("tasks.documents.images"))
    found = {path: held(raw[path], pages, known, store) for path, pages in cited.items()}
    new = [path for path, images in found.items() if images is None]
    problems = []
    for path, told in _rendered([(raw[path], cited[path]) for path in new], dpi, store):
        if isinstance(told, str):
            log.warning("%s has no images: %s", path, told)
            problems.append(Problem(document=path, reason=told))
            continue
        found[path] = told
        known.put(orjson.dumps({page: one.model_dump() for page, one in told.items()}), raw[path].digest, cited[path])
    index = {path: images for path, images in found.items() if images}
    plain = {path: {page: one.model_dump() for page, one in images.items()} for path, images in index.items()}
    return Rendered(
        artifact=store.put_json("pages", plain),
        images=[one for images in index.values() for one in images.values()],
        problems=problems,
        rendered_now=len(new) - len(problems),
    )


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


def _rendered(waiting: list[tuple[Document, list[int]]], dpi: int, store: Store) -> Iterator[tuple[str, Images | str]]:
    """The images of each document, or why there are none."""
    works = [
        Work(
            path=store.path(document.artifact),
            size=document.size,
            told={"pages": pages, "dpi": dpi},
            more=SECONDS * len(pages),
        )
        for document, pages in waiting
    ]
    with progress("documents rendered", len(works), "pages") as count:
        for result in run(jobs.render_pages, works, preload=("tasks.documents.images",)):
            document, pages = waiting[result.number]
            yield document.path, result.problem or _stored(result, pages, store)
            count(len(pages))


def _stored(result: Result, pages: list[int], store: Store) -> Images | str:
    try:
        with zipfile.ZipFile(io.BytesIO(result.body or b"")) as archive:
            return {str(page): store.put_bytes("pages", archive.read(str(page)), ".png") for page in pages}
    except (zipfile.BadZipFile, KeyError):
        return "its reader gave something else than images"
