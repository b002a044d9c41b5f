"""The session behind the chat page, the page's files, and what a foreign page can not do."""

import httpx

from bentos.kit import page
from bentos.kit.packaging import served_files
from bentos.kit.sessions import Sessions
from tests.bentos.chat_service import Planted, locked, service

__all__ = ["locked", "service"]  # fixtures


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
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.test"}, {"Origin": "null"}):
        refused = httpx.post(f"{url}/v1/documents", files=files, headers=headers)
        assert (refused.status_code, planted.documents) == (403, before)
    assert httpx.post(f"{url}/feedback", json={"request_id": "a", "rating": 1}, headers={"Origin": url}).is_success


def test_without_keys_only_names_of_this_machine_are_answered_to(service: tuple[str, Planted]) -> None:
    url, _ = service
    port = url.rpartition(":")[2]
    for host in (f"evil.test:{port}", "evil.test", "10.0.0.1", "localhost.evil.test", "[::1", ""):
        told = httpx.get(f"{url}/v1/documents", headers={"Host": host, "Sec-Fetch-Site": "same-origin"})
        assert told.status_code == 403 and "localhost" in told.text, host
    for host in (f"localhost:{port}", "127.0.0.1", f"[::1]:{port}", "LOCALHOST"):
        assert httpx.get(f"{url}/v1/documents", headers={"Host": host}).status_code == 200, host


def test_a_foreign_page_is_refused_before_its_body_is_read(service: tuple[str, Planted]) -> None:
    url, _ = service
    foreign = {"Origin": "http://evil.test", "Content-Type": "application/json"}
    assert httpx.post(f"{url}/session", content=b"{no json", headers=foreign).status_code == 403


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
