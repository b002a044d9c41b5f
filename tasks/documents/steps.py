"""The room's Prefect tasks: the folder is looked at on every run, what is made of its documents is cached."""

from prefect import task

from tasks.caching import cached
from tasks.documents import chunks, corpus, page_images, snapshots
from tasks.documents.parse import parse_corpus
from tasks.documents.tesseract import tesseract
from tasks.sources.steps import outside

scan = outside(corpus.scan)
reader = outside(tesseract)
snapshot = task(name="snapshot")(snapshots.take)
parse = cached(parse_corpus)
chunk = cached(chunks.chunk_corpus)
images = cached(page_images.render_pages)
