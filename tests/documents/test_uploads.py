"""Documents taken in by a service: checked names, tenants apart, revisions, and what index runs make of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.artifacts import Store, sha256
from tasks.documents import uploads
from tasks.errors import BadInput, NotFound, Refused
from tasks.planning import closure


def test_an_upload_is_found_by_its_tenant_alone(store: Store) -> None:
    mine = uploads.add(store, "papers", "a.pdf", b"mine", "acme")
    other = uploads.add(store, "papers", "a.pdf", b"other", "rival")
    shared = uploads.add(store, "papers", "a.pdf", b"shared")
    assert len({mine.id, other.id, shared.id}) == 3
    assert [one.path for one in uploads.listed(store, "papers", None)] == [
        "uploads/acme/a.pdf",
        "uploads/rival/a.pdf",
        "uploads/shared/a.pdf",
    ]
    assert uploads.listed(store, "papers", "acme") == [mine] and uploads.listed(store, "papers", "") == [shared]
    assert uploads.find(store, "papers", mine.id, "acme") == uploads.find(store, "papers", mine.id, None) == mine
    for tenant in ("rival", ""):
        with pytest.raises(NotFound):
            uploads.find(store, "papers", mine.id, tenant)
        with pytest.raises(NotFound):
            uploads.delete(store, "papers", mine.id, tenant)
    assert uploads.listed(store, "others", None) == []


@pytest.mark.parametrize("id", ["", "../papers/x", "A" * 32, "0" * 31, "../../../etc/passwd", "0" * 32])
def test_an_id_from_outside_names_nothing_else(store: Store, id: str) -> None:
    with pytest.raises(NotFound):
        uploads.find(store, "papers", id, None)


def test_the_same_name_is_a_new_revision(store: Store) -> None:
    first = uploads.add(store, "papers", "a.txt", b"one", "acme")
    uploads.settle(store, "papers", "reading", {first.path: first.digest}, {})
    assert uploads.find(store, "papers", first.id, "acme").status == "indexed"
    second = uploads.add(store, "papers", "a.txt", b"two", "acme")
    assert second.id == first.id and second.digest != first.digest
    uploads.settle(store, "papers", "reading", {first.path: first.digest}, {})  # an index run that began before
    (now,) = uploads.listed(store, "papers", "acme")
    assert (now.status, now.digest) == ("pending", second.digest)


def test_what_an_index_run_could_not_read_has_failed_with_its_reason(store: Store) -> None:
    bad, good = (uploads.add(store, "papers", name, name.encode()) for name in ("bad.pdf", "good.pdf"))
    digests = {one.path: one.digest for one in (bad, good)}
    uploads.settle(store, "papers", "reading", digests, {bad.path: "it is encrypted"})
    told = {one.name: (one.status, one.reason) for one in uploads.listed(store, "papers", None)}
    assert told == {"bad.pdf": ("failed", "it is encrypted"), "good.pdf": ("indexed", None)}


def test_a_deleted_upload_is_gone_until_it_comes_again(store: Store) -> None:
    upload = uploads.add(store, "papers", "a.txt", b"one", "acme")
    assert uploads.delete(store, "papers", upload.id, "acme").status == "deleted"
    assert uploads.listed(store, "papers", None) == []
    assert [one.path for one in uploads.deleted(store, "papers")] == [upload.path]
    with pytest.raises(NotFound):
        uploads.delete(store, "papers", upload.id, "acme")
    uploads.settle(store, "papers", "reading", {}, {})
    assert uploads.add(store, "papers", "a.txt", b"one", "acme").id == upload.id
    assert [one.status for one in uploads.listed(store, "papers", None)] == ["pending"]
    assert uploads.deleted(store, "papers") == []


def test_what_was_withdrawn_stays_so_beside_a_later_revision(store: Store) -> None:
    def held() -> list[str]:
        path, gone = "uploads/shared/a.txt", uploads.withdrawn(store, "papers")
        return [data for data in ("one", "two", "three") if gone.holds(path, sha256(data.encode()))]

    first = uploads.add(store, "papers", "a.txt", b"one")
    assert held() == []
    uploads.delete(store, "papers", first.id, None)
    assert held() == ["one", "two", "three"]
    uploads.add(store, "papers", "a.txt", b"two")
    uploads.settle(store, "papers", "reading", {}, {})
    assert held() == ["one", "three"]
    uploads.add(store, "papers", "a.txt", b"three")
    assert held() == ["one"]
    uploads.delete(store, "papers", first.id, None)  # with it goes the revision that an index may still hold
    assert held() == ["one", "two", "three"]
    uploads.add(store, "papers", "a.txt", b"one")
    assert held() == ["two", "three"]
    assert not uploads.withdrawn(store, "others").holds(first.path, first.digest)


class Meanwhile(Store):
    """A store in which somebody else acts just before a name is written, or read, for the n-th time."""

    def __init__(self, root: Path, what: str, prefix: str, turn: int, act: Callable[[], object]) -> None:
        super().__init__(root)
        self.what, self.prefix, self.turn, self.act = what, prefix, turn, act

    def _turn(self, what: str, name: str) -> None:
        if what == self.what and name.startswith(self.prefix):
            self.turn -= 1
            if self.turn == 0:
                self.act()

    def write(self, name: str, data: bytes) -> None:
        self._turn("write", name)
        super().write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        self._turn("write", name)
        return super().create(name, data)

    def read(self, name: str) -> bytes:
        self._turn("read", name)
        return super().read(name)


class Killed(BaseException):
    """As by a signal: nothing that follows runs."""


def killed() -> None:
    raise Killed


@pytest.mark.parametrize("place", ["uploads", "withdrawn"])
def test_an_upload_that_is_killed_is_not_withheld_once_it_is_listed(store: Store, place: str) -> None:
    first = uploads.add(store, "papers", "a.txt", b"one")
    uploads.delete(store, "papers", first.id, None)
    with pytest.raises(Killed):
        uploads.add(Meanwhile(Path(store.root), "write", place, 1, killed), "papers", "a.txt", b"two")
    gone = uploads.withdrawn(store, "papers")
    assert not any(gone.holds(one.path, one.digest) for one in uploads.listed(store, "papers", None))
    second = uploads.add(store, "papers", "a.txt", b"two")
    assert not uploads.withdrawn(store, "papers").holds(second.path, second.digest)
    assert [one.digest for one in uploads.listed(store, "papers", None)] == [second.digest]


@pytest.mark.parametrize(("what", "turn"), [("write", 1), ("read", 2)])
@pytest.mark.parametrize("before", [False, True])
def test_a_revision_sent_while_the_older_one_is_deleted_is_kept(
    store: Store, what: str, turn: int, before: bool
) -> None:
    first = uploads.add(store, "papers", "a.txt", b"one")
    if before:
        uploads.delete(store, "papers", first.id, None)
        uploads.add(store, "papers", "a.txt", b"one")
    place = "withdrawn" if what == "write" else "uploads"
    other = Meanwhile(Path(store.root), what, place, turn, lambda: uploads.add(store, "papers", "a.txt", b"two"))
    assert uploads.delete(other, "papers", first.id, None).digest == sha256(b"one")
    assert other.turn <= 0
    (now,) = uploads.listed(store, "papers", None)
    gone = uploads.withdrawn(store, "papers")
    assert now.digest == sha256(b"two") and not gone.holds(now.path, now.digest)
    assert gone.holds(now.path, first.digest)


def test_a_deletion_while_a_new_revision_is_sent_is_about_the_older_one(store: Store) -> None:
    first = uploads.add(store, "papers", "a.txt", b"one")
    other = Meanwhile(Path(store.root), "write", "uploads", 1, lambda: uploads.delete(store, "papers", first.id, None))
    uploads.add(other, "papers", "a.txt", b"two")
    assert [one.digest for one in uploads.listed(store, "papers", None)] == [sha256(b"two")]
    assert uploads.withdrawn(store, "papers").holds(first.path, first.digest)


def test_two_who_forget_at_once_do_not_undo_each_other(store: Store) -> None:
    other = Meanwhile(
        Path(store.root), "write", "forgotten", 1, lambda: uploads.forget(store, "papers", ["2"], ["b.txt"])
    )
    uploads.forget(store, "papers", ["0"], ["old.txt"])
    uploads.forget(other, "papers", ["1"], ["a.txt"])
    gone = uploads.forgotten(store, "papers")
    assert (gone.digests, gone.paths) == (["0", "1", "2"], ["a.txt", "b.txt", "old.txt"])
    assert uploads.forgotten(store, "other") == uploads.Forgotten()


def test_what_was_forgotten_meanwhile_is_refused(store: Store) -> None:
    kept, gone = (uploads.add(store, "papers", name, name.encode()) for name in ("a.txt", "b.txt"))
    uploads.refuse_forgotten(store, "papers", [kept, gone])
    uploads.forget(store, "papers", [gone.digest])
    uploads.refuse_forgotten(store, "papers", [kept])
    with pytest.raises(Refused, match=r"^uploads/shared/b\.txt of papers was forgotten meanwhile; train again\.$"):
        uploads.refuse_forgotten(store, "papers", [kept, gone])


def test_releases_that_disagree_tell_of_the_failure(store: Store) -> None:
    one = uploads.add(store, "papers", "scan.pdf", b"scan")
    digests = {one.path: one.digest}

    def told() -> tuple[str, str | None]:
        (now,) = uploads.listed(store, "papers", None)
        assert uploads.find(store, "papers", one.id, None) == now
        return now.status, now.reason

    uploads.settle(store, "papers", "with-ocr", digests, {})
    assert told() == ("indexed", None)
    uploads.settle(store, "papers", "plain", digests, {one.path: "no text"})
    assert told() == ("failed", "no text")
    uploads.settle(store, "papers", "with-ocr", digests, {})  # in whatever order they run
    assert told() == ("failed", "no text")
    uploads.settle(store, "papers", "plain", digests, {})
    assert told() == ("indexed", None)


def test_what_was_forgotten_cannot_come_again(store: Store) -> None:
    upload = uploads.add(store, "papers", "a.txt", b"one")
    uploads.forget(store, "papers", digests=[upload.digest])
    assert uploads.forget(store, "papers", paths=["x.pdf"]).digests == [upload.digest]
    store.remove(upload.artifact.uri)
    with pytest.raises(BadInput, match="forgotten"):
        uploads.add(store, "papers", "renamed.txt", b"one")
    assert not store.whole(upload.artifact)  # not even its bytes are back
    uploads.add(store, "papers", "a.txt", b"two")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("../../a.txt", "a.txt"),
        ("  b.txt ", "b.txt"),
        ("e\u0301t\u00e9.txt", "\u00e9t\u00e9.txt"),
        ("🙂.md", "🙂.md"),
        (
            "\N{MAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}.md",
            "\N{MAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}.md",
        ),
        ("می\N{ZERO WIDTH NON-JOINER}خواهم.txt", "می\N{ZERO WIDTH NON-JOINER}خواهم.txt"),
        ("Screenshot 9.41.07\N{NARROW NO-BREAK SPACE}AM.txt", "Screenshot 9.41.07\N{NARROW NO-BREAK SPACE}AM.txt"),
    ],
)
def test_a_name_is_its_last_part(store: Store, name: str, kept: str) -> None:
    assert uploads.add(store, "papers", name, b"x").path == f"uploads/shared/{kept}"


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "..",
        ".env",
        "a/..",
        "a\nb.txt",
        "a\0b",
        "x" * 201,
        "é" * 101,
        "a/",
        "\u202eb",
        "a\u2028b",
        "\ud800",
        "\u200d",
        "a\u2067b",
    ],
)
def test_a_name_that_is_none_is_refused(store: Store, name: str) -> None:
    with pytest.raises(BadInput):
        uploads.add(store, "papers", name, b"x")
    assert uploads.listed(store, "papers", None) == []


@given(st.text(max_size=300))
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    try:
        kept = uploads.checked_name(name)
    except BadInput:
        return
    assert (Path("/corpus/uploads/shared") / kept).resolve().parent == Path("/corpus/uploads/shared")
    assert uploads.checked_name(kept) == kept


@pytest.mark.parametrize("tenant", ["shared", "../x", "a/b", ".x", "x\n"])
def test_a_tenant_is_a_plain_word(store: Store, tenant: str) -> None:
    with pytest.raises(BadInput):
        uploads.add(store, "papers", "a.txt", b"x", tenant)


def test_an_empty_document_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="empty"):
        uploads.add(store, "papers", "a.txt", b"")


def test_a_service_can_import_it() -> None:
    assert not {"pymupdf", "yaml", "fsspec", "tokenizers", "pandas"} & closure("tasks.documents.uploads").keys()
