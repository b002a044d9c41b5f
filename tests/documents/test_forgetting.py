"""Which revisions and names a document had, by what words it is known, and that its bytes do not come back."""

import json
from pathlib import Path

import pytest

from tasks.artifacts import Artifact, Store
from tasks.documents import forgetting, snapshots, uploads
from tasks.documents.chunk_file import Chunk
from tasks.documents.corpus import corpus_state, scan
from tasks.documents.forgetting import Doomed, elsewhere, passages, told_in, trace
from tasks.errors import NotFound, Refused
from tasks.registry import ledger, records
from tests.documents.folders import papers, written

LONG = "The ferry to the island leaves the old pier at half past six on every working day of the year."


def piece(document: str, text: str) -> Chunk:
    return Chunk(id="-", document=document, revision="1", number=0, text=text, page=1, last_page=1, title="", tokens=9)


def taken(folder: Path, files: dict[str, str], gone: tuple[str, ...] = ()) -> dict[str, str]:
    """Write files, remove others, take a snapshot: the digests by path."""
    written(folder, dict(files))
    for name in gone:
        (folder / name).unlink()
    corpus = scan(papers(folder), {})
    snapshots.take(corpus, None)
    return {one.path: one.digest for one in corpus.documents}


def record(number: int, snapshot: str) -> records.VersionRecord:
    """A version of a snapshot, whose files are nowhere."""
    folder = Artifact(uri=f"releases/{number}", digest=str(number), kind="releases")
    return records.VersionRecord(
        version=number,
        key=str(number),
        run_id="-",
        created="-",
        release_digest="-",
        folder=folder,
        snapshot=f"{snapshot}, questions 0",
        tags={"data.version": snapshot.partition("@")[2]},
    )


def test_all_revisions_under_all_names_are_found(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    first = taken(folder, {"draft.md": "one", "other.md": "other"})
    second = taken(folder, {"letter.md": "one", "copy.md": "one"}, ("draft.md",))
    third = taken(folder, {"letter.md": "two", "copy.md": "something else", "draft.md": "a new one"})
    doomed = trace(store, "papers", "letter.md")
    assert set(doomed.digests) == {first["draft.md"], third["letter.md"]} == {second["copy.md"], third["letter.md"]}
    assert doomed.paths == ("letter.md",)  # of copy.md and draft.md there are other contents today
    with pytest.raises(NotFound, match=r"ever held 'lettre\.md'; name its path there, as in: copy\.md"):
        trace(store, "papers", "lettre.md")


def test_a_renamed_document_is_forgotten_by_its_name_of_today(store: Store, tmp_path: Path) -> None:
    taken(tmp_path / "in", {"draft.md": "one", "other.md": "other"})
    taken(tmp_path / "in", {"letter.md": "one"}, ("draft.md",))
    with pytest.raises(Refused, match=r"draft\.md is called letter\.md today"):
        trace(store, "papers", "draft.md")
    assert trace(store, "papers", "letter.md").paths == ("draft.md", "letter.md")


def test_an_upload_is_traced_before_it_was_indexed_and_forgotten_with_its_bytes_kept_out(store: Store) -> None:
    upload = uploads.add(store, "papers", "ferry.md", LONG.encode())
    doomed = trace(store, "papers", upload.path)
    assert doomed.digests == (upload.digest,)
    forgetting.begin(store, doomed.model_copy(update={"passages": ("half past six",)}))
    assert uploads.listed(store, "papers", None) == []
    again = forgetting.begun(store, trace(store, "papers", upload.path))
    assert again.passages == ("half past six",) and again.digests == doomed.digests
    assert forgetting.unfinished(store, doomed.dataset) == [doomed.document]
    forgetting.finish(store, doomed)
    assert forgetting.unfinished(store, doomed.dataset) == []
    assert forgetting.begun(store, doomed) == doomed


def test_what_another_dataset_holds_is_told(store: Store, tmp_path: Path) -> None:
    digest = taken(tmp_path / "in", {"a.md": LONG, "b.md": "other"})["a.md"]
    beside = papers(tmp_path / "in").model_copy(update={"name": "beside"})
    snapshots.take(scan(beside, {}), None)
    doomed = trace(store, "papers", "a.md")
    assert elsewhere(store, doomed) == {digest: ["beside"]}
    uploads.add(store, "third", "same.md", LONG.encode())
    assert elsewhere(store, doomed) == {digest: ["beside", "third"]}


def test_what_a_standing_version_of_another_dataset_was_made_of_is_told(store: Store, tmp_path: Path) -> None:
    digest = taken(tmp_path / "in", {"a.md": LONG, "b.md": "other"})["a.md"]
    beside = papers(tmp_path / "in").model_copy(update={"name": "beside"})
    snapshots.take(scan(beside, {}), None)
    (tmp_path / "in" / "a.md").unlink()
    snapshots.take(scan(beside, {}), None)  # its newest corpus is without it
    doomed = trace(store, "papers", "a.md")
    assert elsewhere(store, doomed) == {}
    records.keep(store, "search", record(1, "beside@1"))
    assert elsewhere(store, doomed) == {digest: ["beside"]}
    ledger.append(store, "search", "me", lambda _: ledger.Move(action="forget", from_version=1))
    assert elsewhere(store, doomed) == {}


def test_the_bytes_of_a_forgotten_document_are_not_taken_again(store: Store, tmp_path: Path) -> None:
    folder = written(tmp_path / "in", {"a.md": LONG, "b.md": "other"})
    digest = {one.path: one.digest for one in scan(papers(folder), {}).documents}["a.md"]
    raw = f"documents/{digest[:2]}/{digest}"
    uploads.forget(store, "papers", [digest], ["a.md"])
    store.remove(raw)
    written(folder, {"copy.md": LONG})
    for _ in range(2):
        assert [one.path for one in scan(papers(folder), {}).documents] == ["b.md"]
        assert raw not in store.list("")
    before = corpus_state(papers(folder), {})
    written(folder, {"a.md": "a later revision of it"})
    assert [one.path for one in scan(papers(folder), {}).documents] == ["b.md"]
    assert len(store.list("documents")) == 1 and corpus_state(papers(folder), {}) != before


def test_passages_are_those_that_no_other_document_has() -> None:
    own = [piece("a.md", f"{LONG}\nShort line.\nBring the broken thing and its cable to the old pier, please.")]
    told = passages(own, [piece("b.md", f"As they say: {LONG}")])
    assert told == ["Bring the broken thing and its cable to"]
    assert passages(own, own) == []
    assert 1 < len(passages([piece("a.md", " ".join(f"word{n} and" for n in range(400)))], [])) <= 5


def test_a_passage_is_found_in_text_and_in_json_and_nowhere_else() -> None:
    runs = passages([piece("a.md", LONG)], [])
    wrapped = LONG.replace(" island ", " **island**\n")
    assert told_in(wrapped.encode(), runs) and told_in(json.dumps({"text": wrapped}).encode(), runs)
    assert not told_in(LONG.replace("leaves", "departs").replace("every", "each").encode(), runs)
    assert not told_in(LONG.encode(), ())
    umlauts = LONG.replace("ferry", "F\u00e4hre").replace("pier", "K\U00020000i")
    german = passages([piece("a.md", umlauts)], [])
    assert told_in(json.dumps({"text": umlauts}).encode(), german)
    assert told_in(json.dumps({"text": umlauts}).replace("u00e4", "u00E4").encode(), german[:1])
    assert told_in(json.dumps({"body": json.dumps({"text": f"{umlauts}\n"})}).encode(), german)
    assert len(german) == 2 and not told_in(json.dumps({"text": umlauts.replace("K", "k")}).encode(), german[1:])
    chinese = passages([piece("c.md", "\u6e21\u8f6e\u4ece\u65e7\u7801\u5934\u51fa\u53d1" * 4)], [])
    assert chinese and told_in(("\u6e21\u8f6e\u4ece\u65e7\u7801\u5934\u51fa\u53d1" * 4).encode(), chinese)


def test_names_count_by_path_and_by_revision() -> None:
    doomed = Doomed(dataset="papers", document="a", paths=("a",), digests=("1",))
    assert doomed.names("a") and doomed.names("b", "1") and not doomed.names("b", "2") and doomed.mentions(b'{"1"}')
