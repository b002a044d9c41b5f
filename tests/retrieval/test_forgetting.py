"""Whether a version holds a document: by what it is made of, not by what its corpus was."""

from pathlib import Path

import pytest

from tasks.artifacts import Artifact, Store, canonical
from tasks.documents import snapshots
from tasks.documents.chunk_file import Chunk, write_chunks
from tasks.documents.corpus import scan
from tasks.documents.forgetting import Doomed, trace
from tasks.registry import records
from tasks.registry.records import VersionRecord
from tasks.retrieval.forgetting import holds, needed, newest_chunks, parts, remove
from tests.documents.folders import papers, written


def chunk(document: str, revision: str, text: str = "-") -> Chunk:
    return Chunk(
        id="-", document=document, revision=revision, number=0, text=text, page=1, last_page=1, title="", tokens=1
    )


def version(
    store: Store, number: int, chunks: list[Chunk], pages: list[str] | None = None, of: str = ""
) -> VersionRecord:
    """A registered version of snapshot 1 of `papers`, of these chunks and with images of these documents."""
    folder = Artifact(uri=f"releases/00/{number}", digest=str(number), kind="releases")
    made = {"chunks": store.put_bytes("chunks", write_chunks(chunks), ".jsonl").model_dump()}
    if pages is not None:
        made["pages"] = store.put_json("pages", {path: {"1": {"uri": "pages/x.png"}} for path in pages}).model_dump()
    store.write(f"{folder.uri}/release.json", canonical(made))
    record = VersionRecord(
        version=number,
        key=str(number),
        run_id="-",
        created="-",
        release_digest="-",
        folder=folder,
        snapshot=of or "papers@1, questions 0",
        tags={"data.version": "1"},
    )
    return records.keep(store, "search", record)


@pytest.fixture
def doomed(store: Store, tmp_path: Path) -> Doomed:
    """A document of the one snapshot that there is."""
    snapshots.take(scan(papers(written(tmp_path / "in", {"a.md": "one", "b.md": "other"})), {}), None)
    return trace(store, "papers", "a.md")


def test_a_version_holds_what_its_chunks_and_images_are_of(store: Store, doomed: Doomed) -> None:
    (digest,) = doomed.digests
    assert holds(store, version(store, 1, [chunk("b.md", "0"), chunk("a.md", digest)]), doomed)
    assert not holds(store, version(store, 2, [chunk("b.md", "0")]), doomed)  # nothing of it could be read
    assert not holds(store, version(store, 3, [chunk("b.md", "0", f"a list of digests: {digest}")], ["b.md"]), doomed)
    assert holds(store, version(store, 4, [chunk("b.md", "0")], ["a.md", "b.md"]), doomed)
    other = version(store, 5, [chunk("a.md", digest)], of="other@7, questions 0")
    assert not holds(store, other, doomed)  # of which snapshot 7 is not known here either


def test_what_other_rooms_keep_beside_is_left_alone(store: Store, doomed: Doomed) -> None:
    store.write("scores/00/table.parquet", b"PAR1\xff")
    store.write("scores/00/ours.json", canonical({"questions": [{"document": "a.md"}, {"document": "b.md"}]}))
    removed = dict(remove(store, doomed, set(), set(), lambda _: None))
    assert removed["scores of questions (answers, quotes)"] == 1
    assert store.list("scores") == ["scores/00/table.parquet"]


def test_a_version_whose_files_are_gone_holds_what_its_corpus_did(store: Store, doomed: Doomed) -> None:
    record = version(store, 1, [chunk("b.md", "0")])
    store.remove(parts(store, record)["chunks"].uri)
    assert holds(store, record, doomed)
    assert not holds(store, record, doomed.model_copy(update={"digests": ("0",)}))
    store.remove(record.folder.uri)
    assert holds(store, record, doomed)
    store.remove("snapshots/papers/000001.json")
    assert holds(store, record, doomed.model_copy(update={"digests": ("0",)}))  # nobody knows
    assert needed(store, [record]) == {record.folder.uri}


def test_the_newest_version_with_its_files_tells_what_was_read(store: Store) -> None:
    version(store, 1, [chunk("b.md", "0")])
    version(store, 2, [chunk("c.md", "0")], of="other@1, questions 0")
    assert [one.document for one in newest_chunks(store, ["search"], "papers")] == ["b.md"]
    assert newest_chunks(store, ["search"], "third") == []
