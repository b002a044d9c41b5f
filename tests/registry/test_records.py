"""What is read without a server: history, comparison, the page, and verification of the store."""

import json
from pathlib import Path

import pytest

from tasks.artifacts import Store
from tasks.errors import NotFound, Refused
from tasks.registry import records
from tasks.registry.compare import compare, decision_rows
from tasks.registry.differences import differences
from tasks.registry.recipes import Recipe
from tasks.registry.records import VersionRecord
from tasks.registry.report import page
from tasks.registry.rest import release_digest
from tasks.registry.road import Road
from tasks.registry.verify import verify
from tests.registry.conftest import around, evidence_of, release_folder


def record(store: Store, folder: Path, version: int, **changes: object) -> VersionRecord:
    made = release_folder(folder / f"v{version}", {"model.txt": f"model {version}".encode()})
    values: dict[str, object] = {
        "version": version,
        "key": f"key {version}",
        "run_id": f"run{version}",
        "created": "2026-01-01T00:00:00+00:00",
        "release_digest": release_digest(made),
        "folder": store.put_folder("releases", made),
        "metrics": {"auc": around(0.7 + version / 100)},
        "snapshot": "wine@1",
        "seed": version,
        "tags": {"git.commit": "<script>"},
    }
    return records.keep(store, "wine", VersionRecord.model_validate(values | changes))


@pytest.fixture
def two(store: Store, road: Road, tmp_path: Path, recipe: Recipe) -> Store:
    record(store, tmp_path, 1)
    record(store, tmp_path, 2)
    road.offer(evidence_of(1, None), recipe)
    road.offer(evidence_of(2, 1, -0.1), recipe)
    return store


def test_history_lists_versions_entries_and_champion(two: Store) -> None:
    told = json.loads(json.dumps(records.overview(two, "wine")))
    assert (told["release"], told["champion"], told["pending"]) == ("wine", 1, [])
    assert [item["version"] for item in told["versions"]] == [1, 2]
    assert [item["action"] for item in told["entries"]] == ["stage", "promote", "refuse"]


def test_history_of_nothing_is_empty(store: Store) -> None:
    told = records.overview(store, "wine")
    assert (told["champion"], told["versions"], told["entries"]) == (None, [], [])


def test_a_record_is_kept_once(two: Store, tmp_path: Path) -> None:
    first = records.version(two, "wine", 1)
    assert records.keep(two, "wine", first) == first
    with pytest.raises(Refused, match="two data roots"):
        records.keep(two, "wine", first.model_copy(update={"key": "another"}))
    assert records.with_key(two, "wine", "key 2") == records.version(two, "wine", 2)
    assert records.with_key(two, "wine", "key 3") is None
    with pytest.raises(NotFound, match="there are: 1, 2"):
        records.version(two, "wine", 3)


def test_two_versions_side_by_side(two: Store) -> None:
    rows = {row[0]: row[1:] for row in compare(two, "wine", 1, 2).rows()}
    assert rows["auc"] == (str(around(0.71)), str(around(0.72)))
    assert rows["seed *"] == ("1", "2") and rows["snapshot"] == ("wine@1", "wine@1")


def test_what_the_gate_said_of_the_two_is_told(two: Store) -> None:
    told = compare(two, "wine", 1, 2).gate
    assert told is not None and told.startswith("The gate, on the same rows: Worse than champion v1: auc differs by")
    assert compare(two, "wine", 2, 1).gate == told


def test_two_prompts_are_told_by_the_lines_that_differ(tmp_path: Path) -> None:
    def folder(name: str, **told: object) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "release.json").write_text(json.dumps(told))
        return tmp_path / name

    index = {"uri": "indexes/ab/abcd", "digest": "abcd" * 16, "kind": "indexes"}
    one = folder("one", prompt={"system": "Answer.\nCite.", "user": "{{question}}"}, index=index, metrics={"mrr": 0.5})
    prompt = {"system": "Answer shortly.\nCite.", "user": "{{question}}"}
    two = folder(
        "two", prompt=prompt, index=index | {"digest": "ef" * 32}, metrics={"mrr": 0.6}, answers={"model": "m"}
    )
    assert differences(one, two) == {
        "prompt.system": ("Answer.", "Answer shortly."),
        "index": ("abcdabcdabcd", "efefefefefef"),
        "answers.model": ("-", "m"),
    }
    assert differences(one, one) == {}


def test_the_decision_as_a_table_has_what_failed_first(two: Store) -> None:
    kept = records.in_force(two, "wine", 2)
    assert kept is not None
    rows = decision_rows(kept.decision)
    assert rows[0][0] == "comparison" and rows[0][3] == "NO"


def test_the_page_shows_the_decision_and_escapes_what_it_was_given(two: Store) -> None:
    html = page(two, "wine", 2)
    assert "Worse than champion v1" in html and "champion is version 1" in html
    assert "&lt;script&gt;" in html and "<script>" not in html
    assert "quality &lt;b&gt;" in html
    assert '<span class="badge">champion</span>' in page(two, "wine", 1)


def test_a_version_without_a_decision_has_a_page_and_is_reported(two: Store, tmp_path: Path) -> None:
    record(two, tmp_path, 3)
    assert "has not decided" in page(two, "wine", 3)
    assert verify(two, "wine", None) == ["Version 3 has no decision: its run was stopped before the gate; train again."]


def test_verify_of_what_holds_is_empty(two: Store) -> None:
    assert verify(two, "wine", None) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("ledger/wine/000001.json", "was altered"), ("decisions", "altered"), ("releases", "model.txt is missing")],
)
def test_verify_finds_what_was_altered(two: Store, name: str, said: str) -> None:
    for found in [name] if name.endswith(".json") else two.list(name):
        if found.endswith("model.txt"):
            two.place(found).unlink()
        elif name != "releases":
            two.write(found, two.read(found).replace(b"wine@1", b"wine@7"))
    assert any(said in line for line in verify(two, "wine", None))


def test_verify_says_when_a_decision_is_gone(two: Store) -> None:
    for name in two.list("decisions"):
        two.place(name).unlink()
    assert sum("gone" in line for line in verify(two, "wine", None)) == 2
