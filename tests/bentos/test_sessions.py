"""The session behind the chat page, the page's files, and what a foreign page can not do."""

from collections.abc import Iterator

import httpx
import pytest

from bentos.kit import page
from bentos.kit.packaging import served_files
from bentos.kit.sessions import Sessions
from tests.bentos.chat_service import KEYS, Planted, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Planted]]:
    with running(tmp_path_factory.mktemp("open")) as told:
        yield told


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Planted]]:
    with running(tmp_path_factory.mktemp("locked"), KEYS) as told:
        yield told


def test_a_session_serves_its_own_page_only(locked: tuple[str, Planted]) -> None:
    url, _ = locked
    own = {"Origin": url}
    with httpx.Client(base_url=url) as client:
        assert client.post("/session", json={"key": "two"}).status_code == 403
        assert client.post("/session", json={"key": "two"}, headers={"Origin": "http://evil.test"}).status_code == 403
        opened = client.post("/session", json={"key": "two"}, headers={"Origin": url.replace("http:", "https:")})
        assert "; Secure" in opened.headers["set-cookie"]
        assert client.post("/session", json={"key": "two"}, headers=own).json()["name"] == "shop"
        assert client.get("/info").status_code == 200
        body = {"messages": [{"role": "user", "content": "late"}], "stream": False}
        assert client.post("/v1/ask", json=body, headers=own).status_code == 200
        for foreign in ({}, {"Origin": "http://evil.test"}, own | {"Sec-Fetch-Site": "same-site"}):
            assert client.post("/v1/ask", json=body, headers=foreign).status_code == 403
        assert client.get("/info", headers={"X-API-Key": "three"}).status_code == 401
        assert client.delete("/session", headers=own).status_code == 204
        assert client.get("/info").status_code == 401


def test_without_keys_a_foreign_page_changes_nothing(service: tuple[str, Planted]) -> None:
    url, planted = service
    before = dict(planted.documents)
    files = {"file": ("a.md", b"# planted")}
    refused = httpx.post(f"{url}/v1/documents", files=files, headers={"Sec-Fetch-Site": "cross-site"})
    assert (refused.status_code, planted.documents) == (403, before)


def test_sessions_end() -> None:
    now = [0.0]
    sessions = Sessions(60, lambda: now[0])
    first, second = sessions.open("a" * 64), sessions.open("b" * 64)
    assert (sessions.key(first), sessions.key(second), sessions.key("")) == ("a" * 64, "b" * 64, None)
    sessions.close(second)
    assert sessions.key(second) is None
    now[0] = 60.0
    assert sessions.key(first) is None


def test_the_page_is_whole_and_has_no_third_party(service: tuple[str, Planted]) -> None:
    url, _ = service
    for path in ["", *(f"chat/{name}" for name in page.FILES)]:
        told = httpx.get(f"{url}/{path}")
        assert (told.status_code, told.headers["x-content-type-options"]) == (200, "nosniff")
        assert "'unsafe" not in told.headers["content-security-policy"]
        assert "https:" not in told.text and "innerHTML" not in told.text
        again = httpx.get(f"{url}/{path}", headers={"If-None-Match": told.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_bento_holds_every_file_of_the_page() -> None:
    names = {path.name for path in page.FOLDER.iterdir()}
    assert names == {"index.html", *page.FILES}
    assert set(page.FOLDER.iterdir()) <= set(served_files("bentos.kit.page"))
