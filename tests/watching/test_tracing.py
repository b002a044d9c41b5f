"""Where answers come from, and what came of a snapshot, in a store and a log."""

from pathlib import Path

import pytest

from tasks.artifacts import Artifact, Store, canonical
from tasks.errors import BadInput, NotFound
from tasks.registry import ledger, records
from tasks.registry.ledger import Move
from tasks.registry.records import VersionRecord
from tasks.watching.impact import of_document, of_snapshot
from tasks.watching.log import Writer, folder
from tasks.watching.tracing import logged, trace
from tests.watching.logged import feedback, made, prediction, write


def version(store: Store, number: int, data: int = 1, release: str = "wine") -> None:
    """A version of `wine` with its release folder, its snapshot, and an entry that makes it champion."""
    place = f"releases/{number:02}/{number}"
    store.create(f"{place}/release.json", canonical({"kind": "tabular", "inputs": {}}))
    told = {"digest": f"data{min(data, 2)}", "source": {"title": "Wine"}, "parents": [f"raw{data}"]}
    store.create(f"snapshots/wines/{data:06}.json", canonical(told))
    tags = {"data.version": str(data), "data.digest": f"data{min(data, 2)}", "git.commit": f"c{number}"}
    record = VersionRecord(
        version=number, key=f"k{number}", run_id=f"run{number}", created="2026-01-01T00:00:00+00:00",
        release_digest="d", folder=Artifact(uri=place, digest="d", kind="releases"), snapshot=f"wines@{data}",
        tags=tags | {"git.dirty": "true"},
    )  # fmt: skip
    records.keep(store, release, record)
    entries = ledger.entries(store, release)
    before = entries[-1].to_version if entries else None
    move = Move(action="promote", alias="champion", from_version=before, to_version=number, override=number == 2)
    ledger.append(store, release, "ada", lambda _: move)


@pytest.fixture
def versions(store: Store) -> Store:
    """1 and 2 were made of wines@1, 3 of wines@2; wines@3 is what wines@2 was."""
    for number, data in ((1, 1), (2, 1), (3, 2)):
        version(store, number, data)
    store.create("snapshots/wines/000003.json", canonical({"digest": "data2"}))
    return store


def test_a_request_of_two_promotions_ago_names_what_answered_it(versions: Store, tmp_path: Path) -> None:
    made(versions, tmp_path, prediction(1, tenant="a"), prediction(1, kind="shadow", version="2"), feedback(1, label=1))
    (told,) = trace(versions, tmp_path, logged(versions, tmp_path), "id1")
    assert [one["kind"] for one in told.records] == ["prediction", "shadow", "feedback"]
    assert [one.version for one in told.versions] == [1, 2] and told.lost == ()
    first, second = told.versions
    assert (first.data_digest, first.git_commit, first.git_dirty) == ("data1", "c1", True)
    assert (first.snapshot, first.parents, first.kind, first.run_id) == ("wines@1", ("raw1",), "tabular", "run1")
    assert first.standing == "a champion of before" and len(told.traces) == 2
    (reign,) = first.reigns
    assert (reign.action, reign.who, reign.override, reign.verdict) == ("promote", "ada", False, None)
    assert reign.until == second.reigns[0].since and second.reigns[0].override


def test_what_is_gone_is_said_and_stops_nothing(versions: Store, tmp_path: Path) -> None:
    write(tmp_path, prediction(1, version="1"), prediction(1, version="77"), prediction(1, version="local"))
    versions.remove("releases/01/1")
    versions.remove("snapshots/wines/000001.json")
    move = Move(action="promote", alias="champion", to_version=1, decision="gone")
    ledger.append(versions, "wine", "ada", lambda _: move)
    (told,) = trace(versions, tmp_path, ["wine"], "id1")
    assert told.lost == ("77", "local")
    (one,) = told.versions
    assert (one.kind, one.parents, one.data_digest, one.standing) == ("", (), "data1", "the champion")
    assert one.verdict == one.reigns[-1].verdict == "the decision is gone from the store"
    assert trace(versions, tmp_path, ["wine"], "id2") == []


class Ids:
    """What was told of ids."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, str]] = []

    def __call__(self, release: str, version: str, ids: list[str]) -> None:
        self.found += [(release, version, one) for one in ids]


def test_a_snapshot_leads_to_its_versions_and_all_their_answers(versions: Store, tmp_path: Path) -> None:
    made(versions, tmp_path, *(prediction(one, row=row) for one in range(3) for row in range(2)), feedback(1, rating=1))
    made(versions, tmp_path, prediction(7, version="3"), prediction(8, kind="shadow", version="2"))
    write(tmp_path, prediction(9, version="2"), replica="two")  # closed, and still on this machine
    Writer(folder(tmp_path, "wine"), "zwei").write([prediction(10, version="2")])  # open
    told = Ids()
    found = of_snapshot(versions, tmp_path, "wines", 1, told)
    assert (found.digest, found.same) == ("data1", ())
    first, second = found.made
    assert (first.origin.version, first.answers, first.cited) == (1, 6, None)
    assert first.examples == ("id0", "id1", "id2") and first.first is not None and first.last is not None
    assert first.first <= first.last
    assert (second.origin.version, second.answers, second.examples) == (2, 2, ("id9", "id10"))
    assert told.found == [("wine", "1", f"id{one}") for one in range(3)] + [
        ("wine", "2", f"id{one}") for one in (9, 10)
    ]
    assert of_snapshot(versions, tmp_path, "wines", 2, told).same == ("wines@3",)
    with pytest.raises(NotFound, match="there are: wines@1, wines@2, wines@3"):
        of_snapshot(versions, tmp_path, "wines", 4, told)
    with pytest.raises(BadInput, match="holds no documents"):
        of_document(versions, tmp_path, "wines", 1, "a.md", told)


def test_a_segment_that_is_here_and_there_is_counted_once(versions: Store, tmp_path: Path) -> None:
    write(tmp_path, prediction(1), prediction(2))
    (path,) = folder(tmp_path, "wine").glob("*/*")
    versions.create(f"predictions/wine/{path.parent.name}/{path.name}", path.read_bytes())  # shipped, not removed yet
    (first, _) = of_snapshot(versions, tmp_path, "wines", 1, Ids()).made
    assert first.answers == 2
