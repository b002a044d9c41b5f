"""The road: every move, and both ends of every rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tasks.artifacts import Store
from tasks.errors import NotFound, Refused, Unavailable
from tasks.registry import history, ledger, moves, records
from tasks.registry.recipes import Recipe
from tasks.registry.rest import ledger_tag
from tasks.registry.road import Road
from tests.registry.conftest import MemoryBook, actions, consistent, evidence_of, fails, two_champions

CHAMPION = ledger_tag("champion")


def test_a_first_and_a_better_version_are_promoted(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    assert actions(road) == ["stage", "promote", "stage", "promote"]
    assert book.marks == {"staging": 2, "champion": 2}
    consistent(road, book)


def test_a_rerun_finds_the_decision_and_writes_nothing(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    refused = road.offer(evidence_of(3, 2, -0.1), recipe)
    assert refused.state == "refused" and "comparison" in refused.text and refused.champion == 2
    again = road.offer(evidence_of(3, 2, -0.2), recipe)
    assert again == refused
    assert road.found(3, "wine@1", recipe) == refused
    assert road.found(3, "wine@2", recipe) is None
    assert road.found(3, "wine@1", recipe.model_copy(update={"margin": 0.5})) is None  # other rules: another decision
    assert road.offer(evidence_of(2, 1), recipe).state == "champion"
    assert actions(road).count("refuse") == 1


def test_a_refusal_changes_nothing_that_serves(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    before = (dict(book.marks), {number: dict(tags) for number, tags in book.tags.items()})
    road.offer(evidence_of(3, 2, -0.1), recipe)
    assert (book.marks, book.tags) == before


def test_evidence_against_an_old_champion_is_not_used(road: Road, recipe: Recipe) -> None:
    two_champions(road, recipe)
    with pytest.raises(Refused, match="now version 2"):
        road.offer(evidence_of(3, 1), recipe)


def test_a_question_waits_for_approval(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    asks = recipe.model_copy(update={"approval": "ask"})
    assert road.offer(evidence_of(3, 2), asks).state == "pending"
    assert book.marks == {"staging": 3, "champion": 2}
    assert road.offer(evidence_of(3, 2), asks).state == "pending"
    done = road.approve(3, note="looks good")
    assert (done.state, done.champion) == ("promoted", 3)
    last = ledger.entries(road.store, "wine")[-1]
    assert (last.override, last.note, last.decision is not None) == (False, "looks good", True)
    assert road.approve(3).state == "champion"
    consistent(road, book)


def test_a_question_answered_with_no_stays_so(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    asks = recipe.model_copy(update={"approval": "ask"})
    road.offer(evidence_of(3, 2), asks)
    assert road.decline(3, "not this week").state == "refused"
    again = road.offer(evidence_of(3, 2), asks)
    assert again.state == "refused" and "declined by test: not this week" in again.text
    with pytest.raises(Refused, match="not pending"):
        road.decline(3)
    assert book.marks["champion"] == 2


def test_an_expired_question_needs_an_override(road: Road, recipe: Recipe) -> None:
    two_champions(road, recipe)
    road.offer(evidence_of(3, 2), recipe.model_copy(update={"approval": "ask"}))
    entries = ledger.entries(road.store, "wine")
    assert history.pending(entries, datetime.now(UTC) + timedelta(days=6))
    assert not history.pending(entries, datetime.now(UTC) + timedelta(days=8))


def test_what_the_gate_refused_needs_an_override(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    road.offer(evidence_of(3, 2, -0.1), recipe)
    with pytest.raises(Refused, match=r"not pending .* Worse than champion v2"):
        road.approve(3)
    assert book.marks["champion"] == 2
    assert road.approve(3, override=True).state == "promoted"
    assert ledger.entries(road.store, "wine")[-1].override
    for override in (False, True):
        with pytest.raises(NotFound, match="There is no version 99"):
            road.approve(99, override=override)
    consistent(road, book)


def test_rollback_and_the_next_scheduled_run(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    assert road.roll_back().champion == 1
    assert (book.marks["champion"], book.tags[2].get(CHAMPION)) == (1, None)
    for evidence in (evidence_of(2, 1), evidence_of(2, 1, snapshot="wine@2"), evidence_of(2, 1, snapshot="wine@2")):
        outcome = road.offer(evidence, recipe)
        assert (outcome.state, outcome.champion) == ("withdrawn", 1)
        assert outcome.decision is not None and not outcome.decision.promote
        assert "rolled back" in [reason.name for reason in outcome.decision.failed]
    with pytest.raises(Refused, match="no earlier champion"):
        road.roll_back()
    assert book.marks["champion"] == 1
    assert road.approve(2, override=True).champion == 2
    consistent(road, book)


def test_rollback_with_nothing_to_go_back_to(road: Road, recipe: Recipe) -> None:
    with pytest.raises(Refused, match="no earlier champion"):
        road.roll_back()
    assert actions(road) == []


def test_a_failed_smoke_test_moves_the_alias_back(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    road.offer(evidence_of(1, None), recipe)
    outcome = replace(road, smoke=fails).offer(evidence_of(2, 1), recipe)
    assert (outcome.state, outcome.champion) == ("withdrawn", 1) and "golden request 1" in outcome.text
    assert actions(road)[-2:] == ["promote", "back out"]
    assert road.offer(evidence_of(2, 1), recipe).state == "withdrawn"
    assert history.champion(ledger.entries(road.store, "wine")) == 1
    consistent(road, book)


def test_the_first_version_backed_out_leaves_no_champion(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    assert replace(road, smoke=fails).offer(evidence_of(1, None), recipe).champion is None
    assert "champion" not in book.marks
    assert road.offer(evidence_of(2, None), recipe).champion == 2
    consistent(road, book)


def test_a_smoke_test_that_could_not_run_is_run_again(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    def unreachable(version: int) -> None:
        raise Unavailable("no network")

    with pytest.raises(Unavailable):
        replace(road, smoke=unreachable).offer(evidence_of(1, None), recipe)
    assert replace(road, smoke=fails).found(1, "wine@1", recipe) is not None
    assert actions(road) == ["stage", "promote", "back out"]


def test_an_alias_moved_by_hand_stops_the_road_until_settled(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    entries = ledger.entries(road.store, road.release)
    assert moves.outside(book, road.release, entries) == {}
    book.marks["champion"] = 4
    assert moves.outside(book, road.release, entries) == road.settle().outside == {"champion": 4}
    for call in (lambda: road.offer(evidence_of(3, 2), recipe), lambda: road.approve(3, override=True)):
        with pytest.raises(Refused, match="outside the ledger"):
            call()
    assert book.marks["champion"] == 4
    assert road.roll_back().champion == 2
    consistent(road, book)
    book.marks["champion"] = 4
    assert road.adopt().champion == 4
    assert road.adopt().state == "nothing to do"
    consistent(road, book)


def test_an_alias_moved_back_by_hand_is_outside_too(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    book.marks["champion"] = 1
    assert road.settle().outside == {"champion": 1}


def test_shadow_on_and_off(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    assert road.shadow(1).state == "moved"
    assert road.shadow(1).state == "nothing to do"
    assert (book.marks["challenger"], book.marks["champion"]) == (1, 2)
    road.shadow(None)
    assert "challenger" not in book.marks
    with pytest.raises(NotFound):
        road.shadow(99)
    with pytest.raises(Refused, match="Version 2 of wine is the champion"):
        road.shadow(2)
    assert actions(road)[-2:] == ["shadow", "unshadow"]
    consistent(road, book)


def test_what_became_of_a_version_is_told_from_the_ledger(road: Road, recipe: Recipe) -> None:
    def now(version: int) -> str:
        return history.standing(ledger.entries(road.store, "wine"), version)

    asks = recipe.model_copy(update={"approval": "ask"})
    assert now(1) == "without a decision"
    two_champions(road, recipe)
    assert (now(1), now(2)) == ("a champion of before", "the champion")
    road.offer(evidence_of(3, 2), asks)
    road.offer(evidence_of(4, 2), asks)
    road.offer(evidence_of(5, 2, -0.1), recipe)
    assert (now(3), now(4), now(5)) == ("pending", "pending", "refused")
    road.decline(4)
    assert now(4) == "declined"
    road.approve(3)
    assert now(3) == "the champion"
    road.roll_back()
    assert (now(3), now(2)) == ("withdrawn", "the champion")
    road.offer(evidence_of(6, 2), asks)
    road.approve(3, override=True)
    assert (now(3), now(6)) == ("the champion", "no longer pending")


def test_a_tampered_ledger_moves_nothing(road: Road, store: Store, recipe: Recipe) -> None:
    two_champions(road, recipe)
    store.write("ledger/wine/000002.json", store.read("ledger/wine/000002.json").replace(b'"test"', b'"mallory"'))
    with pytest.raises(Refused, match="does not hold"):
        road.roll_back()


def test_two_roads_at_once_promote_one(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    other = replace(road, who="another")
    two_champions(road, recipe)
    assert road.offer(evidence_of(3, 2), recipe).champion == 3
    with pytest.raises(Refused, match="now version 3"):
        other.offer(evidence_of(4, 2), recipe)


def test_the_decision_in_force_is_kept_with_its_evidence(road: Road, recipe: Recipe) -> None:
    two_champions(road, recipe)
    kept = records.in_force(road.store, "wine", 2)
    assert kept is not None and kept.evidence == evidence_of(2, 1) and kept.decision.verdict == "better"


def test_a_rollback_from_a_hand_moved_alias_withdraws_nothing(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    book.marks["champion"] = 1
    assert road.roll_back().champion == 2
    assert history.withdrawn(ledger.entries(road.store, "wine")) == set()
    assert road.roll_back().champion == 1


def test_a_move_is_marked_when_its_alias_stands(road: Road, recipe: Recipe) -> None:
    assert not history.unsettled(road.store, [])
    two_champions(road, recipe)
    entries = ledger.entries(road.store, "wine")
    assert not history.unsettled(road.store, entries)
    road.store.place(f"settled/wine/{entries[-1].digest}.json").unlink()
    assert history.unsettled(road.store, entries)


def test_a_forgotten_version_is_out_of_every_way_back(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    asks = recipe.model_copy(update={"approval": "ask"})
    assert road.offer(evidence_of(3, 2), asks).state == "pending"
    road.shadow(1)
    with pytest.raises(Refused, match="Version 2 of wine is the champion"):
        road.forget([1, 2], "forget a.md")
    assert road.forget([1, 3], "forget a.md") == [1, 3] and road.forget([1, 3], "again") == []
    assert book.marks == {"staging": 2, "champion": 2}
    entries = ledger.entries(road.store, "wine")
    assert history.forgotten(entries) == {1, 3} == history.withdrawn(entries)
    assert history.pending(entries) == [] and history.standing(entries, 3) == "forgotten"
    for act in (lambda: road.approve(3), lambda: road.approve(1, override=True), lambda: road.shadow(1)):
        with pytest.raises(Refused, match="held what was forgotten"):
            act()
    with pytest.raises(Refused, match="no earlier champion"):
        road.roll_back()
    book.marks["champion"] = 1
    with pytest.raises(Refused, match="held what was forgotten"):
        road.adopt()
    assert road.roll_back().champion == 2 and book.marks["champion"] == 2
    consistent(road, book)
