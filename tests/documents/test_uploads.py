"""Documents taken in by a service: checked names, tenants apart, revisions, and what index runs make of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.artifacts import Store, sha256
from tasks.documents import uploads
from tasks.errors import BadInput, NotFound
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
    uploads.settle(store, "papers", {first.path: first.digest}, {})
    assert uploads.find(store, "papers", first.id, "acme").status == "indexed"
    second = uploads.add(store, "papers", "a.txt", b"two", "acme")
    assert second.id == first.id and second.digest != first.digest
    uploads.settle(store, "papers", {first.path: first.digest}, {})  # an index run that began before
    (now,) = uploads.listed(store, "papers", "acme")
    assert (now.status, now.digest) == ("pending", second.digest)


def test_what_an_index_run_could_not_read_has_failed_with_its_reason(store: Store) -> None:
    bad, good = (uploads.add(store, "papers", name, name.encode()) for name in ("bad.pdf", "good.pdf"))
    digests = {one.path: one.digest for one in (bad, good)}
    uploads.settle(store, "papers", digests, {bad.path: "it is encrypted"})
    told = {one.name: (one.status, one.reason) for one in uploads.listed(store, "papers", None)}
    assert told == {"bad.pdf": ("failed", "it is encrypted"), "good.pdf": ("indexed", None)}


def test_a_deleted_upload_is_gone_until_it_comes_again(store: Store) -> None:
    upload = uploads.add(store, "papers", "a.txt", b"one", "acme")
    assert uploads.delete(store, "papers", upload.id, "acme").status == "deleted"
    assert uploads.listed(store, "papers", None) == []
    assert [one.path for one in uploads.deleted(store, "papers")] == [upload.path]
    with pytest.raises(NotFound):
        uploads.delete(store, "papers", upload.id, "acme")
    uploads.settle(store, "papers", {}, {})
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
    uploads.settle(store, "papers", {}, {})
    assert held() == ["one", "three"]
    uploads.add(store, "papers", "a.txt", b"three")
    assert held() == ["one"]
    uploads.delete(store, "papers", first.id, None)  # with it goes the revision that an index may still hold
    assert held() == ["one", "two", "three"]
    uploads.add(store, "papers", "a.txt", b"one")
    assert held() == ["two", "three"]
    assert not uploads.withdrawn(store, "others").holds(first.path, first.digest)


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
