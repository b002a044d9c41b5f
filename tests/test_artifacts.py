import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.artifacts import Artifact, Store, checked_join, current, opened, put_in_place, store_at
from tasks.errors import BadInput, NotFound


def test_equal_bytes_are_one_object(store: Store) -> None:
    first, second = store.put_bytes("raw", b"rows", ".csv"), store.put_bytes("raw", b"rows", ".csv")
    assert first == second
    assert store.read_bytes(first) == b"rows"
    assert first.uri == f"raw/{first.digest[:2]}/{first.digest}.csv"


def test_json_does_not_depend_on_the_order_of_keys(store: Store) -> None:
    assert store.put_json("facts", {"a": 1, "b": [2]}) == store.put_json("facts", {"b": [2], "a": 1})


def test_a_folder_keeps_its_files_and_tells_a_change(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.txt").write_text("a")
    first = store.put_folder("models", tmp_path / "in")
    assert (store.path(first) / "deep" / "a.txt").read_text() == "a"
    (tmp_path / "in" / "deep" / "a.txt").write_text("b")
    assert store.put_folder("models", tmp_path / "in").digest != first.digest


@pytest.mark.parametrize("harm", ["delete", "alter"])
def test_a_gone_or_altered_artifact_is_not_whole_and_can_be_put_again(store: Store, harm: str) -> None:
    artifact = store.put_bytes("raw", b"rows")
    assert store.whole(artifact)
    path = store.path(artifact)
    path.unlink() if harm == "delete" else path.write_bytes(b"other")
    assert not store.whole(artifact)
    with pytest.raises(NotFound, match="train again"):
        store.read_bytes(artifact)
    store.put_bytes("raw", b"rows")
    assert store.read_bytes(artifact) == b"rows"


def test_an_altered_folder_is_replaced(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("a")
    artifact = store.put_folder("models", tmp_path / "in")
    (store.path(artifact) / "a").write_text("changed")
    assert not store.whole(artifact)
    store.put_folder("models", tmp_path / "in")
    assert (store.path(artifact) / "a").read_text() == "a"


def test_the_folder_of_the_writer_who_was_first_stays(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other writer comes when this one has looked and found nothing."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("a")
    look, looks, inodes = Store.whole, itertools.count(1), []

    def whole(self: Store, artifact: Artifact) -> bool:
        found = look(self, artifact)
        if self is store and next(looks) == 1:
            target = Store(store.root).path(Store(store.root).put_folder("models", tmp_path / "in"))
            inodes.append(target.stat().st_ino)
        return found

    monkeypatch.setattr(Store, "whole", whole)
    artifact = store.put_folder("models", tmp_path / "in")
    monkeypatch.undo()
    assert store.path(artifact).stat().st_ino == inodes[0]


def test_a_new_folder_is_put_in_place_or_the_reason_is_told(tmp_path: Path) -> None:
    for name in ("new", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    put_in_place(tmp_path / "new", tmp_path / "there")
    assert (tmp_path / "there" / "a").read_text() == "there"
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / "nothing", tmp_path / "other")


def test_verification_is_remembered_over_processes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = store.put_bytes("raw", b"rows")
    assert store.whole(artifact)
    monkeypatch.setattr("tasks.artifacts.file_sha256", lambda path: pytest.fail("hashed again"))
    assert Store(store.root).whole(artifact)


def test_a_table_is_named_by_its_content_and_verified_by_its_bytes(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"parquet")
    artifact = store.put_file("tables", path, ".parquet", digest="ab" * 32)
    assert artifact.digest == "ab" * 32 and store.whole(artifact)
    store.path(artifact).write_bytes(b"forged!")
    assert not store.whole(artifact)


def test_of_two_creators_one_wins(store: Store) -> None:
    assert store.create("ledger/a/000001.json", b"first")
    assert not store.create("ledger/a/000001.json", b"second")
    assert store.read("ledger/a/000001.json") == b"first"
    assert store.list("ledger/a") == ["ledger/a/000001.json"]
    assert store.list("ledger/b") == []


def test_what_is_removed_is_gone_and_can_be_put_again(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    folder, row = store.put_folder("models", tmp_path / "in"), store.put_bytes("raw", b"rows")
    store.write("notes/a.json", b"1")
    for name in (folder.uri, row.uri, "notes/a.json", "notes/none.json"):
        store.remove(name)
        store.remove(name)
    assert not store.whole(folder) and not store.whole(row)
    assert [name for name in store.list("") if not name.startswith("memo/")] == []
    assert store.whole(store.put_folder("models", tmp_path / "in"))


def test_nothing_is_left_aside(store: Store) -> None:
    store.put_bytes("raw", b"rows")
    store.write("receipts/a.json", b"1")
    store.write("receipts/a.json", b"2")
    assert store.read("receipts/a.json") == b"2"
    assert list((store.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", "a\0b", "."])
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="plain relative name"):
        checked_join(tmp_path, name)


@given(st.text())
def test_whatever_is_joined_stays_inside(name: str) -> None:
    root = Path("/some/root")
    with suppress(BadInput):
        assert checked_join(root, name).is_relative_to(root)


def test_a_reference_from_outside_cannot_leave_the_store(store: Store) -> None:
    with pytest.raises(BadInput):
        store.path(Artifact(uri="../../secret", digest="0", kind="raw"))


def test_steps_need_an_open_store(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No store is open"):
        current()
    with opened(tmp_path) as store:
        assert current() is store


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an object store, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield "memory://bucket/penstock"
    fsspec.filesystem("memory").store.clear()


def test_another_machine_reads_what_was_put_into_a_remote_store(
    remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.txt").write_text("a")
    here = store_at(remote)
    row, folder = here.put_bytes("raw", b"rows", ".csv"), here.put_folder("models", tmp_path / "in")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    there = store_at(remote)
    assert there.read_bytes(row) == b"rows"
    assert (there.path(folder) / "deep" / "a.txt").read_text() == "a"


def test_what_the_remote_store_lost_is_not_whole_though_the_cache_has_it(remote: str) -> None:
    store = store_at(remote)
    artifact = store.put_bytes("raw", b"rows")
    fsspec.filesystem("memory").store.clear()
    assert not store.whole(artifact)
    store.put_bytes("raw", b"rows")
    assert store.read_bytes(artifact) == b"rows"


@pytest.fixture
def elsewhere(remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
    """The same store on a further machine, whose cache is empty."""
    numbers = itertools.count()

    def machine() -> Store:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache-{next(numbers)}"))
        return store_at(remote)

    return machine


def test_a_torn_upload_of_a_folder_is_not_whole_and_is_mended(elsewhere: Callable[[], Store], tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.txt", "deep/b.txt"):
        (tmp_path / "in" / name).write_text(name)
    here, files = elsewhere(), fsspec.filesystem("memory")
    folder = here.put_folder("models", tmp_path / "in")
    there = f"/bucket/penstock/{folder.uri}"
    files.rm([path for path in files.find("/bucket") if "deep" in path or not path.startswith(f"{there}/")])
    files.pipe_file(f"{there}/extra", b"of another hand")
    assert files.exists(f"{there}/a.txt") and not here.whole(folder)
    here.put_folder("models", tmp_path / "in")
    assert here.whole(folder) and (elsewhere().path(folder) / "deep" / "b.txt").read_text() == "deep/b.txt"


def test_an_altered_object_of_a_remote_store_is_mended(elsewhere: Callable[[], Store]) -> None:
    artifact = elsewhere().put_bytes("raw", b"rows")
    fsspec.filesystem("memory").pipe_file(f"/bucket/penstock/{artifact.uri}", b"sowr")
    other = elsewhere()
    assert not other.whole(artifact)
    other.put_bytes("raw", b"rows")
    assert elsewhere().read_bytes(artifact) == b"rows"


def test_named_objects_of_a_remote_store(remote: str) -> None:
    store = store_at(remote)
    assert store.create("ledger/a/000001.json", b"first") and not store.create("ledger/a/000001.json", b"second")
    store.write("receipts/a.json", b"1")
    assert store.read("ledger/a/000001.json") == b"first"
    assert store.list("ledger/a") == ["ledger/a/000001.json"] and store.list("none") == []
    with pytest.raises(NotFound):
        store.read("receipts/b.json")


def test_what_is_removed_from_a_remote_store_is_gone_for_all(elsewhere: Callable[[], Store], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    here = elsewhere()
    folder, row = here.put_folder("models", tmp_path / "in"), here.put_bytes("raw", b"rows")
    here.write("notes/a.json", b"1")
    for name in (folder.uri, row.uri, "notes/a.json", "notes/a.json"):
        here.remove(name)
    assert not here.whole(folder) and not elsewhere().whole(row) and elsewhere().list("") == []
    assert not (here.root / folder.uri).exists()
