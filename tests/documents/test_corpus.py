"""What counts as a document of a folder, what is left out and said, and the numbered versions of a corpus."""

import os
import time
from pathlib import Path

import fsspec
import pytest

from tasks.artifacts import Store, sha256
from tasks.documents import snapshots, uploads
from tasks.documents.corpus import corpus_state, scan
from tasks.documents.manifest import Changes, Corpus
from tasks.errors import BadInput
from tasks.sources.catalog import Dataset, GeneratorSource
from tests.documents.folders import papers, written

ODD = ["a\nb.md", "🙂 smile.txt", "..oddly..named.md".lstrip("."), "c:\\d.txt", "-rf", "50% *?[x].txt", "sub/ lead.txt"]


def paths(corpus: Corpus) -> list[str]:
    return [document.path for document in corpus.documents]


def test_odd_names_are_documents_like_others(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {name: f"text of {number}" for number, name in enumerate(ODD)})
    corpus = scan(papers(folder), {})
    assert paths(corpus) == sorted(ODD) and corpus.notes == []
    for document in corpus.documents:
        assert store.read_bytes(document.artifact) == (folder / document.path).read_bytes()
        assert document.digest == document.artifact.digest and document.artifact.kind == "documents"


def test_what_is_hidden_leaves_the_folder_or_is_no_file_is_left_out(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {"a.txt": "a", ".git/config": "x", ".hidden": "x", "deep/.x/y.txt": "x"})
    outside = written(tmp_path / "out", {"secret.txt": "secret", "more/b.txt": "b"})
    (folder / "out.txt").symlink_to(outside / "secret.txt")
    (folder / "out").symlink_to(outside)
    (folder / "dots.txt").symlink_to("../out/secret.txt")
    (folder / "gone.txt").symlink_to(folder / "nothing")
    (folder / "round").symlink_to(folder)
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    (folder / "config").symlink_to(folder / ".git/config")
    (folder / "same.txt").symlink_to("a.txt")
    os.mkfifo(folder / "pipe.txt")
    (folder / os.fsdecode(b"\xff.txt")).write_text("broken name")
    corpus = scan(papers(folder), {})
    assert paths(corpus) == ["a.txt", "same.txt"]
    told = "\n".join(corpus.notes)
    for name in ("out.txt", "'out'", "dots.txt", "gone.txt", "loop.txt", "pipe.txt", "udcff"):
        assert name in told
    assert "secret" not in told and len(corpus.notes) == 7
    corpus.model_dump_json().encode()


def test_globs_choose(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path, {"in/" + name: name for name in ("a.md", "b.pdf", "x/c.md", "x/y/d.md", "drafts/e.md")})
    chosen = papers(folder / "in", include=["**/*.md"], exclude=["drafts/**", "x/*.md"])
    assert paths(scan(chosen, {})) == ["a.md", "x/y/d.md"]
    assert paths(scan(papers(folder / "in", include=["*.pdf", "x/**"]), {})) == ["b.pdf", "x/c.md", "x/y/d.md"]


def test_the_first_folder_is_the_tenant(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {"acme/a.txt": "a", "acme/deep/b.txt": "b", "all.txt": "c"})
    corpus = scan(papers(folder, tenants=True), {})
    assert [(one.path, one.tenant) for one in corpus.documents] == [("acme/a.txt", "acme"), ("acme/deep/b.txt", "acme")]
    assert corpus.notes == ["1 document is left out: it stands in no tenant's folder."]
    assert not store.place(f"documents/{sha256(b'c')[:2]}/{sha256(b'c')}").exists()
    assert corpus.digest != scan(papers(folder), {}).digest


def test_a_folder_named_by_file_stands_in_for_the_source(tmp_path: Path, store: Store) -> None:
    written(tmp_path, {"one/a.txt": "a", "two/b.txt": "b"})
    assert paths(scan(papers(tmp_path / "one"), {"data": str(tmp_path / "two")})) == ["b.txt"]
    for files, told in (({"data": str(tmp_path / "none")}, "does not exist"), ({"red": "x"}, "no part 'red'")):
        with pytest.raises(BadInput, match=told):
            scan(papers(tmp_path / "one"), files)
    with pytest.raises(BadInput, match="is a file"):
        corpus_state(papers(tmp_path / "one/a.txt"), {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no documents"):
        scan(papers(tmp_path / "empty"), {})


def test_a_table_is_no_folder(store: Store) -> None:
    source = GeneratorSource(type="generator", name="credit-applications")
    table = Dataset(name="loans", title="Loans", licence="CC0", contract="loans", source=source)
    with pytest.raises(BadInput, match="no folder of documents"):
        corpus_state(table, {})


def test_the_state_changes_with_what_would_be_scanned(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {"a.txt": "a", "b.txt": "b", ".hidden": "x"})
    dataset = papers(folder)
    states = [corpus_state(dataset, {})]

    def moved() -> bool:
        states.append(corpus_state(dataset, {}))
        return states[-1] != states[-2]

    (folder / ".hidden").write_text("y")
    assert not moved()
    os.utime(folder / "a.txt", ns=(1, 1))
    assert not moved()
    stat = (folder / "b.txt").stat()
    (folder / "b.txt").write_text("c")
    os.utime(folder / "b.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert moved()
    upload = uploads.add(store, "papers", "up.txt", b"up")
    assert moved()
    uploads.delete(store, "papers", upload.id, None)
    assert moved()
    uploads.forget(store, "papers", paths=["a.txt"])
    assert moved() and not moved()


def test_uploads_are_scanned_and_forgotten_ones_are_not(tmp_path: Path, store: Store) -> None:
    dataset = papers(written(tmp_path / "in", {"a.txt": "a", "b.txt": "b"}))
    mine = uploads.add(store, "papers", "mine.txt", b"mine", "acme")
    uploads.add(store, "other", "other.txt", b"other")
    corpus = scan(dataset, {})
    assert paths(corpus) == ["a.txt", "b.txt", "uploads/acme/mine.txt"]
    assert corpus.documents[2].tenant == "acme" and corpus.documents[2].uploaded
    uploads.forget(store, "papers", digests=[corpus.documents[0].digest], paths=["b.txt"])
    left = scan(dataset, {})
    assert paths(left) == ["uploads/acme/mine.txt"]
    assert left.notes == ["'b.txt' is left out: a document at that path was forgotten; a new one needs another name."]
    uploads.forget(store, "papers", digests=[mine.digest])
    with pytest.raises(BadInput, match="no documents"):
        scan(dataset, {})


def test_an_upload_whose_bytes_are_gone_is_told(tmp_path: Path, store: Store) -> None:
    dataset = papers(written(tmp_path / "in", {"a.txt": "a"}))
    upload = uploads.add(store, "papers", "mine.txt", b"mine")
    store.place(upload.artifact.uri).unlink()
    corpus = scan(dataset, {})
    assert paths(corpus) == ["a.txt"] and "upload it again" in corpus.notes[0]


def test_a_copy_that_was_lost_or_altered_is_taken_again(tmp_path: Path, store: Store) -> None:
    dataset = papers(written(tmp_path / "in", {"a.txt": "a", "b.txt": "b"}))
    first = scan(dataset, {})
    store.place(first.documents[0].artifact.uri).unlink()
    store.place(first.documents[1].artifact.uri).write_text("altered")
    second = scan(dataset, {})
    assert second == first
    assert [store.read_bytes(document.artifact) for document in second.documents] == [b"a", b"b"]


def test_a_remote_folder(tmp_path: Path, store: Store) -> None:
    remote = fsspec.filesystem("memory")
    remote.pipe({"/shelf/a.txt": b"a", "/shelf/x/[b]*.txt": b"b", "/shelf/.hidden": b"x", "/shelf/x/../../c.txt": b"c"})
    dataset = papers("memory://shelf")
    corpus, state = scan(dataset, {}), corpus_state(dataset, {})
    assert paths(corpus)[:2] == ["a.txt", "x/[b]*.txt"] and not any(".." in path for path in paths(corpus))
    assert store.read_bytes(corpus.documents[1].artifact) == b"b"
    assert scan(dataset, {}) == corpus and corpus_state(dataset, {}) == state
    remote.pipe("/shelf/a.txt", b"changed")
    assert corpus_state(dataset, {}) != state
    assert scan(dataset, {}).documents[0].digest != corpus.documents[0].digest
    with pytest.raises(BadInput, match="nothing at"):
        scan(papers("memory://nowhere"), {})
    with pytest.raises(BadInput, match="no usable address"):
        scan(papers("nosuch://x"), {})


def test_markdown_is_rendered_where_the_folder_asks(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {"a.md": "# Dams\n\nWater flows.", "b.md": "x", "b.pdf": "y", "c.txt": "c"})
    corpus = scan(papers(folder, render=True), {})
    assert paths(corpus) == ["a.pdf", "b.pdf", "c.txt"]
    assert store.read_bytes(corpus.documents[0].artifact).startswith(b"%PDF")
    assert "there is a 'b.pdf' beside it" in corpus.notes[0]
    assert scan(papers(folder, render=True), {}) == corpus


def test_versions_count_up_and_tell_what_changed(tmp_path: Path, store: Store) -> None:
    folder = written(tmp_path / "in", {name: f"text of {name}" for name in ("a", "b", "c", "d")})
    first = snapshots.take(scan(papers(folder), {}), "abc")
    assert (first.version, first.documents, first.git_commit) == (1, 4, "abc")
    assert first.changes == Changes(added=["a", "b", "c", "d"])
    assert snapshots.take(scan(papers(folder), {}), None).version == 1
    (folder / "a").rename(folder / "z")
    (folder / "b").write_text("changed")
    (folder / "c").unlink()
    (folder / "e").write_text("new")
    second = snapshots.take(scan(papers(folder), {}), None)
    assert second.version == 2
    assert second.changes == Changes(added=["e"], changed=["b"], removed=["c"], renamed=[("a", "z")], unchanged=1)
    assert [one.version for one in snapshots.history("papers")] == [1, 2]
    assert snapshots.load("papers", 1) == first
    assert Corpus.model_validate_json(store.read_bytes(second.manifest)).digest == second.digest


def test_the_same_documents_elsewhere_are_the_same_corpus(tmp_path: Path, store: Store) -> None:
    one = written(tmp_path / "one", {"a.txt": "a", "b.txt": "b"})
    two = written(tmp_path / "two", {"b.txt": "b", "a.txt": "a"})
    (two / "away").symlink_to(tmp_path / "one")
    first, second = (snapshots.take(scan(papers(folder), {}), None) for folder in (one, two))
    assert second.version == 1 and second.manifest == first.manifest


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ten_thousand_small_files(tmp_path: Path, store: Store) -> None:
    files: dict[str, str | bytes] = {f"{number % 100}/{number}.txt": f"text {number}" for number in range(10_000)}
    dataset = papers(written(tmp_path / "in", files))
    corpus = scan(dataset, {})
    assert len(corpus.documents) == 10_000
    state = corpus_state(dataset, {})
    started = time.process_time()
    assert corpus_state(dataset, {}) == state
    assert time.process_time() - started < 1.5
