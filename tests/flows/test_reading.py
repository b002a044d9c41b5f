"""What `history` shows: overrides as such, marks that agree with each other, times that fit a terminal."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from flows import console, serving
from flows.reading import action_of, moved, state_of
from tasks.artifacts import Store
from tasks.errors import BadInput, Refused
from tasks.registry import records
from tasks.registry.recipes import Recipe
from tasks.registry.road import Road
from tests.registry.conftest import MemoryBook, evidence_of, two_champions, works


@pytest.fixture
def told(store: Store, tmp_path: Path) -> dict[str, object]:
    """Version 2 was rolled back, and brought back by a person against the gate."""
    road = Road(store, "wine", MemoryBook(), tmp_path / "lock", "ann@mill", works)
    recipe = Recipe(name="wine", kind="tabular", dataset="wine", metric="auc", margin=0.01)
    two_champions(road, recipe)
    road.roll_back()
    replace(road, who="bob@mill").approve(2, override=True)
    road.offer(evidence_of(3, 2, -0.1), recipe)
    return records.overview(store, "wine")


def test_an_override_is_shown_as_such(told: dict[str, list[dict[str, object]]]) -> None:
    actions = [(action_of(entry), moved(entry)) for entry in told["entries"]]
    assert actions == [
        ("stage", "- → 1"),
        ("promote", "- → 1"),
        ("stage", "1 → 2"),
        ("promote", "1 → 2"),
        ("roll back", "2 → 1"),
        ("promote (override)", "1 → 2"),
        ("refuse", "2 → 3"),
    ]


def test_a_champion_that_was_withdrawn_once_is_explained(told: dict[str, object]) -> None:
    assert state_of({"version": 2, "withdrawn": True}, told) == (
        "champion, staging, withdrawn once, brought back by a person"
    )
    assert state_of({"version": 1, "withdrawn": False}, told) == ""
    assert state_of({"version": 2, "withdrawn": True}, told | {"champion": 1}) == "staging, withdrawn"


def test_a_moment_is_short() -> None:
    assert len(console.moment("2026-01-02T03:04:05+00:00")) == 16


def test_a_port_is_one_and_its_holder_is_named() -> None:
    for port in (0, 99_999, -1):
        with pytest.raises(BadInput, match=f"--port {port}: ports go from 1 to 65535"):
            serving.refuse_held(port)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Refused, match=rf"Port {port} is in use by .*process \d+"):
            serving.refuse_held(port)
    serving.refuse_held(port)
