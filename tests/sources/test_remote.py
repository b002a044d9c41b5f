"""Downloads over real HTTP on loopback: held to a digest, trusted once and said so, told apart when they fail."""

import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.artifacts import Store, sha256
from tasks.errors import BadInput, Unavailable
from tasks.sources.fetch import fetch, source_state
from tasks.sources.frames import read_table
from tasks.sources.raw import Raw
from tasks.sources.reading import pieces, read
from tests.sources.projects import project

CSV = b"id,size,kind\n1,2.5,a\n2,,b\n"


class Site:
    """A web server whose pages the test sets; it counts what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                status, body = site.pages.get(self.path, (404, b""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) + (10 if self.path == "/cut" else 0)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


def test_a_local_file_that_is_not_the_stated_one_is_said(tmp_path: Path, store: Store) -> None:
    part = {"url": "http://127.0.0.1:1/a.csv", "sha256": sha256(CSV)}
    dataset, _ = project(tmp_path, {"type": "url", "parts": {"data": part}})
    for name, data in {"same.csv": CSV, "other.csv": CSV + b"3,1,b\n"}.items():
        (tmp_path / name).write_bytes(data)
    assert fetch(dataset, {"data": str(tmp_path / "same.csv")}).notes == []
    (note,) = fetch(dataset, {"data": str(tmp_path / "other.csv")}).notes
    assert "other.csv (sha256 " in note and f"not the file that the catalog states ({sha256(CSV)[:12]})" in note


def fetched(folder: Path, url: str, max_age: float = 24, **part: str) -> Raw:
    dataset, _ = project(folder, {"type": "url", "parts": {"data": {"url": url, **part}}})
    return fetch(dataset, {}, max_age)


def test_a_stated_digest_is_held_and_needs_no_second_download(tmp_path: Path, store: Store, site: Site) -> None:
    site.pages["/a.csv"] = (200, CSV)
    raw = fetched(tmp_path, f"{site.url}/a.csv", sha256=sha256(CSV))
    assert store.read_bytes(raw.files[0].artifact) == CSV and raw.notes == []
    assert fetched(tmp_path, f"{site.url}/a.csv", 0, sha256=sha256(CSV)) == raw
    assert site.asked == ["/a.csv"]
    store.place(raw.files[0].artifact.uri).unlink()
    assert fetched(tmp_path, f"{site.url}/a.csv", sha256=sha256(CSV)) == raw


def test_other_bytes_than_stated_are_refused(tmp_path: Path, store: Store, site: Site) -> None:
    site.pages["/a.csv"] = (200, b"<html>Please log in</html>")
    with pytest.raises(BadInput, match=f"the dataset states {sha256(CSV)}"):
        fetched(tmp_path, f"{site.url}/a.csv", sha256=sha256(CSV))


def test_the_first_download_is_trusted_and_a_changed_one_is_said(tmp_path: Path, store: Store, site: Site) -> None:
    dataset, _ = project(tmp_path, {"type": "url", "parts": {"data": {"url": f"{site.url}/a.csv"}}})
    site.pages["/a.csv"] = (200, CSV)
    before = source_state(dataset, {})
    first = fetch(dataset, {})
    known = source_state(dataset, {})
    assert "trusted" in first.notes[0] and sha256(CSV) in first.notes[0] and known != before
    site.pages["/a.csv"] = (200, CSV + b"3,1,c\n")
    assert fetch(dataset, {}).digests == first.digests and source_state(dataset, {}) == known
    again = fetch(dataset, {}, 0)
    assert "has changed" in again.notes[0] and again.digests != first.digests
    assert source_state(dataset, {}) != known and site.asked == ["/a.csv"] * 2


@pytest.mark.parametrize(
    ("path", "kind", "told"),
    [
        ("/gone", BadInput, "404"),
        ("/private", BadInput, "403"),
        ("/busy", Unavailable, "503"),
        ("/slow down", Unavailable, "429"),
        ("/cut", Unavailable, "cannot be reached"),
    ],
)
def test_what_another_try_may_mend_is_told_apart(
    tmp_path: Path, store: Store, site: Site, path: str, kind: type[Exception], told: str
) -> None:
    site.pages |= {"/private": (403, b""), "/busy": (503, b""), "/slow%20down": (429, b""), "/cut": (200, CSV)}
    with pytest.raises(kind, match=told):
        fetched(tmp_path, site.url + path)


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path, store: Store) -> None:
    with pytest.raises(Unavailable, match="--file"):
        fetched(tmp_path, "http://127.0.0.1:9/a.csv")


def test_variables_fill_the_address_and_reach_no_record(
    tmp_path: Path, store: Store, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "${SITE_URL}/a.csv?token=${SITE_TOKEN}"
    with pytest.raises(BadInput, match="no variable SITE_URL"):
        fetched(tmp_path, address)
    monkeypatch.setenv("SITE_URL", site.url)
    monkeypatch.setenv("SITE_TOKEN", "hunter2")
    site.pages["/a.csv?token=hunter2"] = (200, CSV)
    raw = fetched(tmp_path, address)
    assert raw.files[0].origin == "${SITE_URL}/a.csv?token=***"
    texts = [path.read_bytes() for path in store.root.rglob("*") if path.is_file()]
    assert "hunter2" not in raw.model_dump_json() and not [text for text in texts if b"hunter2" in text]
    del site.pages["/a.csv?token=hunter2"]
    with pytest.raises(BadInput) as caught:
        fetched(tmp_path, address, 0)
    assert "hunter2" not in str(caught.value)


def test_a_member_of_an_archive_and_a_local_file_in_its_place(tmp_path: Path, store: Store, site: Site) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("folder/a.csv", CSV)
    site.pages["/a.zip"] = (200, archive.getvalue())
    part = {"url": f"{site.url}/a.zip", "member": "folder/a.csv"}
    dataset, contract = project(tmp_path, {"type": "url", "parts": {"data": part}})
    by_url = read(pieces(fetch(dataset, {}), dataset, contract), contract)
    (tmp_path / "mine.csv").write_bytes(CSV)
    by_file = read(pieces(fetch(dataset, {"data": str(tmp_path / "mine.csv")}), dataset, contract), contract)
    assert read_table(by_url).num_rows == 2 and by_url.digest == by_file.digest
    wrong, _ = project(tmp_path, {"type": "url", "parts": {"data": part | {"member": "b.csv"}}})
    with pytest.raises(BadInput, match=r"no file 'b\.csv'"):
        read(pieces(fetch(wrong, {}), wrong, contract), contract)


def test_parts_that_are_not_named_keep_their_source(tmp_path: Path, store: Store, site: Site) -> None:
    site.pages["/white.csv"] = (200, CSV)
    parts = {name: {"url": f"{site.url}/{name}.csv"} for name in ("red", "white")}
    dataset, _ = project(tmp_path, {"type": "url", "parts": parts})
    (tmp_path / "red.csv").write_bytes(CSV)
    raw = fetch(dataset, {"red": str(tmp_path / "red.csv")})
    assert [(file.part, file.fetched) for file in raw.files] == [("red", False), ("white", True)]
    assert site.asked == ["/white.csv"]
