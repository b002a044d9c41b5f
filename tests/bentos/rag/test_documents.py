"""The shelf: uploads by their bytes, who sees them, what Prefect is told, and images of pages."""

from pathlib import Path
from typing import Any

import pytest

from bentos.kit.config import configured
from tasks.artifacts import sha256
from tasks.settings import Settings
from tests.bentos.rag.conftest import LAKE, Open, by, keys, png, refused, write_rag

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"


def send(client: Any, name: str, data: bytes, **options: Any) -> Any:
    return client.post("/v1/documents", files={"file": (name, data)}, **options)


def test_an_upload_waits_and_says_what_to_do(library: Open) -> None:
    client = library().client
    answer = send(client, "../../My Report.md", b"# Report\n\nThe lake is deep.")
    told = answer.json()
    assert (answer.status_code, told["status"], told["path"]) == (202, "pending", "uploads/shared/My Report.md")
    assert "penstock train library" in told["note"] and "cannot be reached" in told["note"]
    again = client.get(f"/v1/documents/{told['id']}").json()
    assert again["status"] == "pending" and "penstock train library" in again["note"]
    listed = client.get("/v1/documents").json()
    assert "penstock train library" in next(one for one in listed["documents"] if one["id"] == told["id"])["note"]
    paths = [one["path"] for one in listed["documents"]]
    assert paths == sorted(paths) and listed["total"] == len(paths) == 5
    assert {"guide.pdf", "acme/salary.md", "uploads/shared/My Report.md"} <= set(paths)
    guide = next(one for one in listed["documents"] if one["path"] == "guide.pdf")
    assert (guide["pages"], guide["chunks"], guide["status"], guide["id"]) == (2, 2, "indexed", None)
    gone = client.request("DELETE", f"/v1/documents/{told['id']}").json()
    assert gone["status"] == "deleted"
    refused(client.get(f"/v1/documents/{told['id']}"), 404)
    assert client.get("/v1/documents?limit=2&offset=3").json()["total"] == 4


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("a.pdf", PDF, 202),
        ("pdf without a suffix", PDF, 202),
        ("a.html", b"<!DOCTYPE html><html><body>x</body></html>", 202),
        ("a.html", b" <!-- a --> \n<!----><html><body>x</body></html>", 202),
        ("a.md", b"<!---->" * 500 + b"x", 202),  # for which a careless pattern takes for ever
        ("a.txt", "Grüße".encode(), 202),
        ("wide.txt", "Grüße".encode("utf-16"), 202),
        ("a.pdf", b"", 422),
        ("a.txt", b"  \n", 422),
        ("a.pdf", b"PK\x03\x04\x14\x00\x00\x00", 415),
        ("a.txt", b"\x7fELF\x02\x01\x01\x00", 415),
        ("a.txt", b"\xff\xff\xff", 415),
        ("a.png", png(), 415),
        ("a.PDF", b"only text", 415),
        ("bad.exe", b"x", 415),
        ("a.docx", b"only text", 415),
        ("report 1.2", b"only text", 202),
        ("a.log", b"only text", 202),
        (".hidden", b"text", 422),
        ("..", b"text", 422),
        ("x" * 300 + ".txt", b"text", 422),
    ],
)
def test_the_bytes_decide(library: Open, name: str, data: bytes, status: int) -> None:
    answer = send(library().client, name, data)
    assert answer.status_code == status, answer.text
    if status != 202:
        refused(answer, status)


@pytest.mark.parametrize(("name", "said"), [("bad.pdf", "is no PDF"), ("bad.exe", "is named .exe")])
def test_a_name_that_contradicts_the_bytes_is_told_what_to_do(library: Open, name: str, said: str) -> None:
    told = refused(send(library().client, name, b"x"), 415)["message"]
    assert said in told and "rename it to .txt if it is text" in told


def test_uploads_by_other_ways_and_the_size_limit(library: Open) -> None:
    client = library(max_upload_bytes=5 << 20).client
    raw = {"content-type": "application/octet-stream"}
    assert client.post("/v1/documents?name=a.txt", content=b"some text", headers=raw).json()["name"] == "a.txt"
    named = raw | {"x-filename": "b.txt"}
    assert client.post("/v1/documents", content=b"some text", headers=named).json()["name"] == "b.txt"
    refused(client.post("/v1/documents", content=b"some text", headers=raw), 422)
    refused(client.post("/v1/documents", files={"other": ("a.txt", b"text")}), 422)
    refused(client.post("/v1/documents", files=[("file", ("a", b"a")), ("file", ("b", b"b"))]), 400)
    assert send(client, "big.txt", b"a " * (5 << 19)).status_code == 202  # beyond the limit of other bodies
    refused(send(client, "bigger.txt", b"a " * (5 << 19) + b"a"), 413)
    refused(send(client, "biggest.txt", b"a" * (6 << 20)), 413)
    refused(client.post("/v1/ask", content=b'"' + b"a" * (5 << 20) + b'"'), 413)


def test_tenants_do_not_see_each_others_uploads(library: Open) -> None:
    client = library(keys=keys(amy="acme", bob="beta", eve="")).client
    mine = send(client, "mine.md", b"acme only", headers=by("amy")).json()
    shared = send(client, "ours.md", b"for all", headers=by("eve")).json()
    assert (mine["path"], mine["tenant"]) == ("uploads/acme/mine.md", "acme")

    def seen(name: str) -> set[str]:
        return {one["path"] for one in client.get("/v1/documents", headers=by(name)).json()["documents"]}

    common = {"guide.pdf", "notes/rooms.md", "uploads/shared/ours.md"}
    assert seen("amy") == common | {"acme/salary.md", "uploads/acme/mine.md"}
    assert seen("bob") == common | {"beta/plan.md"}
    refused(client.get(f"/v1/documents/{mine['id']}", headers=by("bob")), 404)
    refused(client.request("DELETE", f"/v1/documents/{mine['id']}", headers=by("bob")), 404)
    assert client.get(f"/v1/documents/{shared['id']}", headers=by("bob")).status_code == 200
    refused(client.request("DELETE", f"/v1/documents/{shared['id']}", headers=by("bob")), 404)
    assert client.request("DELETE", f"/v1/documents/{mine['id']}", headers=by("amy")).status_code == 200


def test_what_is_deleted_is_not_answered_from_while_the_index_holds_it(
    library: Open, data_root: Path, tmp_path: Path, weights_folder: Path
) -> None:
    taken = send(library().client, "lake.md", LAKE.encode()).json()
    held = write_rag(
        tmp_path / "with", data_root / "store", weights_folder, extra=(taken["path"], sha256(LAKE.encode()))
    )
    service = library(folder=held)
    place = f"/v1/documents/{taken['id']}"
    told = service.client.get(place).json()
    assert (told["status"], told["chunks"], told["note"]) == ("indexed", 1, None)
    question = "Which lake of the valley holds trout?"
    assert service.ask(question).json()["citations"][0]["document"] == taken["path"]
    note = service.client.request("DELETE", place).json()["note"]
    assert "No answer rests on it" in note and f"penstock forget library {taken['path']}" in note
    assert "trout" not in service.ask(question).json()["answer"]
    everything = {"query": "trout lake library room", "top_k": 50}
    found = {one["document"] for one in service.client.post("/v1/search", json=everything).json()["results"]}
    assert taken["path"] not in found and "guide.pdf" in found
    narrow = {"question": question, "filters": {"documents": [taken["path"]]}}
    assert service.client.post("/v1/ask", json=narrow).json()["answered"] is False
    assert taken["path"] not in {one["path"] for one in service.client.get("/v1/documents").json()["documents"]}
    send(service.client, "lake.md", LAKE.encode())
    assert service.ask(question).json()["citations"][0]["document"] == taken["path"]


def test_another_revision_than_the_indexed_one_is_pending(
    library: Open, data_root: Path, tmp_path: Path, weights_folder: Path
) -> None:
    taken = send(library().client, "lake.md", b"Another lake.").json()
    held = write_rag(
        tmp_path / "with", data_root / "store", weights_folder, extra=(taken["path"], sha256(LAKE.encode()))
    )
    told = library(folder=held).client.get(f"/v1/documents/{taken['id']}").json()
    assert (told["status"], told["chunks"]) == ("pending", None)


def test_pages_are_images_of_visible_documents(library: Open) -> None:
    client = library(keys=keys(amy="acme", bob="beta")).client
    answer = client.get("/v1/pages?document=guide.pdf&page=1", headers=by("bob"))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, png(), "image/png")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (answer.headers["cache-control"], answer.headers["etag"]) == ("private, no-cache", f'"{sha256(png())}"')
    assert answer.headers["vary"] == "Cookie, X-API-Key, Authorization"
    known = by("bob") | {"If-None-Match": answer.headers["etag"]}
    again = client.get("/v1/pages?document=guide.pdf&page=1", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    refused(client.get("/v1/pages?document=acme/salary.md&page=1", headers=known), 404)
    assert client.get("/v1/pages?document=acme/salary.md&page=1", headers=by("amy")).status_code == 200
    refused(client.get("/v1/pages?document=acme/salary.md&page=1", headers=by("bob")), 404)
    refused(client.get("/v1/pages?document=guide.pdf&page=2", headers=by("bob")), 404)  # no image, whatever its name
    refused(client.get("/v1/pages?document=guide.pdf&page=9", headers=by("bob")), 404)
    refused(client.get("/v1/pages?document=../../etc/passwd&page=1", headers=by("bob")), 404)
    for query in ("", "?document=guide.pdf", "?document=guide.pdf&page=0", "?document=guide.pdf&page=one"):
        refused(client.get(f"/v1/pages{query}", headers=by("bob")), 422)


def test_an_image_without_the_store_of_the_trainings_takes_nothing_in(library: Open, release: Path) -> None:
    settings = Settings(data_root=release.parent / "home")
    assert configured(settings, None, "").takes_uploads
    config = configured(settings, release, "1")
    assert (config.takes_uploads, config.store) == (False, settings.store)
    assert configured(Settings(artifacts="s3://bucket/store"), release, "1").takes_uploads
    client = library(takes_uploads=False).client
    assert "PENSTOCK_ARTIFACTS" in refused(send(client, "a.md", b"text"), 409)["message"]
