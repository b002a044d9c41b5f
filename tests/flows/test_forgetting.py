"""A document is forgotten: out of every place that answers or keeps it, whoever is killed meanwhile."""

import hashlib
import io
import re
import zipfile
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from flows import console, forgetting, new, reading
from flows import documents as documents_flow
from flows.orders import Order
from flows.release import road, roll_back
from flows.remains import found_outside
from tasks import settings
from tasks.artifacts import Store, opened
from tasks.documents import forgetting as documents
from tasks.documents import uploads
from tasks.documents.forgetting import Doomed
from tasks.errors import BadInput, NotFound, PenstockError, Refused
from tasks.registry import history, ledger
from tasks.registry.aliases import Registry
from tasks.registry.rest import ABSENT
from tasks.retrieval import forgetting as made
from tasks.retrieval.golden import load_golden
from tasks.watching import log
from tasks.watching.compaction import compact
from tasks.watching.forgetting import left
from tasks.watching.log import Record
from tasks.watching.parts import parts
from tasks.watching.shipping import ship_left
from tasks.watching.tracing import trace_id
from tests.documents.made import header_only
from tests.flows.papers import PDFS, RECIPE, Shelf, golden, texts
from tests.flows.test_documents import first, house, ready  # noqa: F401 - fixtures
from tests.flows.test_lineage import traced

pytestmark = pytest.mark.timeout(300)

FINES = "Children under twelve pay no fines"  # in lending.md, as in every version of it
FERRY = b"# Harbour\n\nThe ferry to the island leaves the old pier at half past six on every working day.\n"


@pytest.fixture
def shelf(first: Shelf, monkeypatch: pytest.MonkeyPatch) -> Shelf:  # noqa: F811
    """Version 1 is champion, and commands find the test's own servers."""
    monkeypatch.setenv("PREFECT_API_URL", first.prefect)
    return first


def forget(shelf: Shelf, document: str, note: str = "") -> int:
    return forgetting.forget(shelf.name, document, note, settings.load())


def holding(root: Path, text: str) -> list[str]:
    """Files below a folder that hold a text, packed or not."""
    found = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        data = path.read_bytes()
        parts = [data]
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                parts += [archive.read(name) for name in archive.namelist()]
        if any(text.encode() in part for part in parts):
            found.append(path.relative_to(root).as_posix())
    return found


def revisions(shelf: Shelf, document: str) -> Doomed:
    with opened(shelf.store.root) as store:
        return documents.trace(store, "papers", document)


def test_a_document_is_gone_from_all_that_answers_and_keeps(
    shelf: Shelf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "width", 500)
    shelf.edit("lending", "twenty-eight days", "thirty-five days")
    assert shelf.train().champion == 2
    doomed = revisions(shelf, "lending.md")
    assert len(doomed.digests) == 2 and len(holding(shelf.store.root, FINES)) > 8
    line = Record("prediction", "a", shelf.name, "2", output={"documents": ["lending.md"]})
    writer = log.Writer(log.folder(settings.load().root, shelf.name), "here")
    writer.write(
        [line, replace(line, kind="feedback", output=None, comment="yes"), replace(line, request_id="b", output={})]
    )
    writer.close()
    for request in ("a", "b"):
        traced(shelf.mlflow, shelf.name, "", request)
    capsys.readouterr()

    assert forget(shelf, "lending.md", "asked by a reader") == 0
    told = capsys.readouterr().out
    assert shelf.champion == 3 and shelf.faults() == []
    assert history.forgotten(ledger.entries(shelf.store, shelf.name)) == {1, 2}
    assert ledger.entries(shelf.store, shelf.name)[-1].note == "forget lending.md: asked by a reader"
    assert holding(shelf.store.root, FINES) == []
    quotes = [str(one["quote"]) for one in golden() if one.get("document") == "lending.md"]
    assert quotes and not any(holding(shelf.store.root, quote) for quote in quotes)
    names = [path.name for path in shelf.store.root.rglob("*")]
    assert not any(name.startswith(digest) for name in names for digest in doomed.digests)
    assert "lending" not in str(shelf.answered(3, "How long may I keep a book?"))
    asked = yaml.safe_load((shelf.project / "golden" / "papers.yaml").read_text())["questions"]
    assert asked == [one for one in golden() if one.get("document") != "lending.md"]

    with pytest.raises(Refused, match="no earlier champion"):
        roll_back(shelf.name)
    for number in (1, 2):
        with (
            road(shelf.name, settings.load()) as way,
            pytest.raises(Refused, match="held what was forgotten"),
        ):
            way.approve(number, override=True)
        with Registry(shelf.mlflow) as registry, pytest.raises(Refused, match=r"release\.json is missing"):
            registry.download(registry.version(shelf.name, number), shelf.project / "download")
        with httpx.Client(base_url=shelf.mlflow, trust_env=False) as http:
            run = {"run_id": shelf.versions[number - 1].run_id}
            assert not http.get("/api/2.0/mlflow/artifacts/list", params=run).json().get("files")
    assert "Proof: " in told and "NOT forgotten" not in told
    assert str(shelf.paper("lending.md")) in told and re.search(
        r"lines of the prediction log, and of the same requests\s+│ 2 ", told
    )
    (kept,) = parts(shelf.store, shelf.name)
    assert (kept.rows, kept.forgotten) == (1, 2) and "traces of answers" in told
    with Registry(shelf.mlflow) as registry:
        traces = [f"traces/{trace_id('', request)}" for request in ("a", "b")]
        assert [bool(registry.call("GET", one, {}, ABSENT, api="3.0")) for one in traces] == [False, True]
    assert all(f"taken out of {shelf.project}/golden/papers.yaml: {name}" in told for name in ("q04", "q07"))

    capsys.readouterr()
    reading.snapshots("papers", False, settings.load())
    assert "1 removed: lending.md" in capsys.readouterr().out
    assert reading.verify(shelf.name, False, settings.load()) == 0
    assert "version 1: forgotten, its files were removed" in capsys.readouterr().out


@pytest.mark.slow
def test_the_gate_is_overruled_and_whatever_is_killed_is_finished(shelf: Shelf) -> None:
    shelf.uploaded("harbour.md", FERRY)
    assert shelf.train().champion == 2
    shelf.put(f"releases/{shelf.name}-b.yaml", RECIPE | {"golden": None, "floors": {}})  # another release on the papers
    beside = shelf.paper("../other/harbour.md")
    beside.write_bytes(FERRY)  # and another dataset with the same file, which is not ours to touch
    beside.with_name("more.md").write_text(texts()["rooms"])
    shelf.put("datasets/other.yaml", {"title": "Other", "licence": "CC0-1.0", "source": shelf.source(path="other")})
    shelf.put(f"releases/{shelf.name}-c.yaml", RECIPE | {"golden": None, "floors": {}, "dataset": "other"})
    for name in ("b", "c"):
        assert documents_flow.train(Order(release=f"{shelf.name}-{name}")).champion == 1
    shelf.recipe(floors={"recall@5": 1.01})  # from now on the gate refuses everything

    path, now = "uploads/shared/harbour.md", settings.load()
    doomed, both = revisions(shelf, path), [shelf.name, f"{shelf.name}-b"]
    with opened(shelf.store.root) as store:
        assert forgetting.treated(store, doomed, now) == both
        doomed = doomed.model_copy(update={"passages": forgetting.telling(store, doomed)})
        documents.begin(store, doomed)  # killed here, before anything was rebuilt
        forgetting.rebuild(store, shelf.name, doomed, "forget", now)  # and here, with one release done
        assert shelf.champion == 1  # the corpus of before, so its version is found again
        entries = ledger.entries(store, shelf.name)
        assert [entry.note for entry in entries if entry.override] == ["forget"] and history.forgotten(entries) == {2}
        forgetting.rebuild(store, both[1], doomed, "forget", now)
        spare = forgetting.stays(store, doomed)
        for steps in range(1, 13):  # and in the middle of the removal
            assert len(list(islice(made.remove(store, doomed, spare, set(), lambda _: None), steps))) == steps

    assert forget(shelf, path) == 0
    assert shelf.champion == 1 and shelf.faults() == []
    assert history.champion(ledger.entries(shelf.store, f"{shelf.name}-b")) == 2
    assert history.champion(ledger.entries(shelf.store, f"{shelf.name}-c")) == 1  # it still answers
    assert uploads.listed(shelf.store, "papers", None) == [] and shelf.store.list("forgetting") == []
    with pytest.raises(BadInput, match="was forgotten on request"):
        shelf.uploaded("harbour.md", FERRY)
    assert forget(shelf, path) == 0 and shelf.champion == 1 and shelf.faults() == []  # asking twice is as good


def test_a_document_that_could_not_be_read_is_forgotten_and_a_failure_says_how_far_it_went(
    house: Shelf,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", house.prefect)
    monkeypatch.setattr(console.out, "width", 500)
    house.paper("broken.pdf").write_bytes(header_only())
    house.ask([*golden(), {"id": "stale", "question": "What is broken?", "document": "broken.pdf"}])
    beside = f"{house.name}-b"
    floors: dict[str, Any] = {"golden": None, "floors": {}}
    house.put(f"releases/{beside}.yaml", RECIPE | floors)
    for name in (house.name, beside):
        assert documents_flow.train(Order(release=name)).champion == 1
    asked, written = house.project / "golden" / "papers.yaml", (house.project / "golden" / "papers.yaml").read_text()

    house.put(f"releases/{beside}.yaml", RECIPE | floors | {"search": {"rerank": "/nowhere"}})
    capsys.readouterr()
    with pytest.raises(PenstockError, match="/nowhere"):
        forget(house, "broken.pdf")
    told = capsys.readouterr().out
    assert f"{beside} was not rebuilt. broken.pdf stays on the list" in told
    assert f"versions with it of {house.name} are withdrawn" in told and asked.read_text() == written

    house.put(f"releases/{beside}.yaml", RECIPE | floors)
    assert forget(house, "broken.pdf") == 0
    told = capsys.readouterr().out
    assert "snapshots and their lists of files" in told and "broken" not in asked.read_text()
    assert house.champion == 1 and len(house.versions) == 1 and house.faults() == []
    assert history.forgotten(ledger.entries(house.store, house.name)) == set()
    assert "broken.pdf" not in house.answered(1, "What is broken?")[1]
    digest = hashlib.sha256(header_only()).hexdigest()
    assert not any(path.name.startswith(digest) for path in house.store.root.rglob("*"))


@pytest.mark.slow
def test_a_release_that_moved_to_another_dataset_loses_its_versions_with_the_document(
    shelf: Shelf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "width", 500)
    moved = f"{shelf.name}-moved"
    lone: dict[str, Any] = RECIPE | {"golden": None, "floors": {}}
    shelf.put(f"releases/{moved}.yaml", lone)
    assert documents_flow.train(Order(release=moved)).champion == 1
    shelf.paper("../other/lending.md").write_text(texts()["lending"])  # the same file, which stays there
    shelf.paper("../other/rooms.md").write_text(texts()["rooms"])
    shelf.put("datasets/other.yaml", {"title": "Other", "licence": "CC0-1.0", "source": shelf.source(path="other")})
    (shelf.project / "releases" / f"{moved}.yaml").unlink()
    with pytest.raises(Refused, match=f"{moved} has versions that hold lending.md and no recipe any more"):
        forget(shelf, "lending.md")
    assert uploads.forgotten(shelf.store, "papers") == uploads.Forgotten()

    shelf.put(f"releases/{moved}.yaml", lone | {"dataset": "other"})
    assert forget(shelf, "lending.md") == 0
    told = capsys.readouterr().out
    assert history.forgotten(ledger.entries(shelf.store, moved)) == {1}
    assert history.champion(ledger.entries(shelf.store, moved)) == 2
    assert "the same file in the dataset other" in told and "NOT forgotten" not in told
    with Registry(shelf.mlflow) as registry, pytest.raises(Refused, match=r"release\.json is missing"):
        registry.download(registry.version(moved, 1), shelf.project / "download")


def test_files_of_the_data_root_are_looked_through_but_for_the_store(
    data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("store/a", "logs/flow.log", "logs/other.log", "bentoml/x", "deep/store/b"):
        (data_root / name).parent.mkdir(parents=True, exist_ok=True)
        (data_root / name).write_text("nothing" if "other" in name else FINES)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", "word " * 999)
    (data_root / "damaged.zip").write_bytes(packed.getvalue().replace(packed.getvalue()[31:40], b"-" * 9))
    (data_root / "gone").symlink_to(data_root / "nowhere")
    doomed = Doomed(dataset="papers", document="a", paths=("a",), digests=("1",), passages=(FINES,))

    def found() -> list[tuple[str, str]]:
        rows = found_outside(doomed, ["search"], settings.load())
        return [(what.partition(" (")[0], str(Path(where).relative_to(data_root))) for what, where, _ in rows]

    text, damaged = "its text in another file", ("a file that cannot be read", "damaged.zip")
    assert found() == [damaged, (text, "deep/store/b"), (text, "logs/flow.log")]
    monkeypatch.chdir(data_root)
    monkeypatch.setenv("PENSTOCK_ARTIFACTS", "deep/../deep/store")
    assert found() == [damaged, (text, "logs/flow.log"), (text, "store/a")]


def test_questions_are_proposed_and_what_cannot_be_forgotten_is_said_first(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    new.questions(shelf.name, settings.load())
    told = capsys.readouterr().out
    written = load_golden(shelf.name, [shelf.project])
    assert len([one for one in written if one.answerable]) > 10 and f"`golden: {shelf.name}`" in told
    with pytest.raises(Refused, match="is there already and is left as it is"):
        new.questions(shelf.name, settings.load())

    with pytest.raises(NotFound, match=r"No corpus of papers ever held 'lendin\.md'.*archive\.pdf"):
        forget(shelf, "lendin.md")
    stale = {"id": "s", "question": "What?", "document": "rooms.md", "quote": "words that nobody ever wrote"}
    shelf.ask([one for one in golden() if one.get("document") in (None, "lending.md")] + [stale, stale | {"id": "t"}])
    with pytest.raises(Refused, match="only 0 answerable ones are left"):
        forget(shelf, "lending.md")
    for name in texts():
        if name != "lending":
            shelf.paper(f"{name}.pdf" if name in PDFS else f"{name}.md").unlink()
    with pytest.raises(Refused, match=r"lending\.md is the only document of papers"):
        forget(shelf, "lending.md")
    assert uploads.forgotten(shelf.store, "papers") == uploads.Forgotten() and shelf.actions == ["stage", "promote"]


def test_lines_of_the_log_are_found_here_shipped_and_in_parts(tmp_path: Path) -> None:
    store, told = Store(tmp_path / "store"), []
    line = Record("prediction", "a", "desk", "2", output={"documents": ["lending.md"]})
    doomed = Doomed(dataset="papers", document="lending.md", paths=("lending.md",), digests=())
    for move in (lambda: None, lambda: ship_left(store, tmp_path, "desk"), lambda: compact(store, "desk")):
        writer = log.Writer(log.folder(tmp_path, "desk"), "here")
        writer.write([line, replace(line, output="none"), replace(line, output={"documents": ["x-lending.md"]})])
        writer.close()
        if told:
            ship_left(store, tmp_path, "desk")
        move()
        told.append([number for _, number in left(store, tmp_path, "desk", documents.telling(doomed))])
    assert told == [[1], [1, 1], [3]]
