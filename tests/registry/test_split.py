"""A split of the traffic: in the ledger, as alias and tag, and every way in which it ends."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tasks.artifacts import Store
from tasks.errors import NotFound, Refused
from tasks.registry import history, ledger, records
from tasks.registry.ledger import Move
from tasks.registry.recipes import Recipe
from tasks.registry.rest import SPLIT, ledger_tag
from tasks.registry.road import Road
from tests.registry.conftest import Killed, MemoryBook, actions, consistent, evidence_of, two_champions

# written before entries had a share
OLD = [
    b'{"action":"promote","alias":"champion","anchor":true,"decision":null,"digest":"6d22a219cc2ce29fbc0aee30f2a81172d8'
    b'dc996e6a557f2efa1211b8f04c4463","expires":null,"from_version":null,"note":"","number":1,"override":false,"previous'
    b'":"","release":"wine","schema_version":1,"subject":null,"to_version":1,"when":"2026-11-22T06:01:29+00:00","who":"me'
    b'"}',
    b'{"action":"shadow","alias":"challenger","anchor":false,"decision":null,"digest":"b35cf1eebc8e0b20dc689a694d187bc84'
    b'34b19a924cf8b816a57cf3b5232d5ec","expires":null,"from_version":null,"note":"look","number":2,"override":false,"pre'
    b'vious":"6d22a219cc2ce29fbc0aee30f2a81172d8dc996e6a557f2efa1211b8f04c4463","release":"wine","schema_version":1,"sub'
    b'ject":null,"to_version":2,"when":"2026-11-22T06:01:30+00:00","who":"me"}',
]


def terms(book: MemoryBook, version: int) -> tuple[str, float] | None:
    found = book.version("wine", version).terms("trial")
    return (found.against, found.share) if found else None


def test_a_ledger_of_before_holds_and_goes_on(store: Store) -> None:
    for number, data in enumerate(OLD, start=1):
        store.create(f"ledger/wine/{number:06}.json", data)
    split = Move(action="split", alias="trial", to_version=2, share=0.1, expires="2999")
    ledger.append(store, "wine", "me", lambda _: split)
    found = ledger.checked(store, "wine")
    assert [entry.share for entry in found] == [None, None, 0.1]
    forged = found[2].model_copy(update={"share": 0.9})
    assert "altered" in ledger.problems([*found[:2], forged])[0]


def test_a_split_is_an_entry_then_tags_then_an_alias(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    told = road.split(3, 0.1, 7, "look")
    assert (told.state, told.champion) == ("moved", 2)
    assert "10 % of the requests for 7 days" in told.text
    entry = ledger.entries(road.store, "wine")[-1]
    assert (entry.action, entry.to_version, entry.share, entry.subject, entry.note) == ("split", 3, 0.1, "2", "look")
    assert book.marks["trial"] == 3 and terms(book, 3) == ("2", 0.1)
    consistent(road, book)
    road.split(3, 0.5, 1)  # another share for the same version
    assert terms(book, 3) == ("2", 0.5)
    road.split(4, 0.5, 1)  # another version in its place
    assert (terms(book, 3), terms(book, 4)) == (None, ("2", 0.5))
    consistent(road, book)
    assert road.unsplit().text == "Version 4 of wine answers no requests beside the champion any more."
    assert road.unsplit().state == "nothing to do"
    assert "trial" not in book.marks and terms(book, 4) is None
    consistent(road, book)


def test_a_tag_that_another_hand_wrote_is_no_split(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    road.split(3, 0.1, 7)
    for forged in ("", "10 %", book.tags[3][SPLIT].replace(book.tags[3][ledger_tag("trial")], "e" * 64)):
        book.tags[3][SPLIT] = forged
        assert terms(book, 3) is None


def test_what_cannot_be_split_is_refused(road: Road, recipe: Recipe) -> None:
    with pytest.raises(Refused, match="no champion yet"):
        road.split(1, 0.1, 7)
    two_champions(road, recipe)
    with pytest.raises(Refused, match="is the champion"):
        road.split(2, 0.1, 7)
    with pytest.raises(NotFound):
        road.split(99, 0.1, 7)
    road.forget([1], "holds a document")
    with pytest.raises(Refused, match="forgotten"):
        road.split(1, 0.1, 7)
    assert "split" not in actions(road)


@pytest.mark.parametrize("end", ["approve", "offer", "another", "roll back", "forget"])
def test_it_ends_with_the_reign_that_it_is_compared_with(
    road: Road, book: MemoryBook, recipe: Recipe, end: str
) -> None:
    two_champions(road, recipe)
    road.split(3, 0.1, 7)
    match end:
        case "approve":
            road.approve(3, override=True)
        case "offer":
            road.offer(evidence_of(3, 2), recipe)
        case "another":
            road.approve(4, override=True)
        case "roll back":
            road.roll_back()
        case "forget":
            road.forget([3], "holds a document")
    assert "trial" not in book.marks and terms(book, 3) is None
    assert history.split(ledger.entries(road.store, "wine")) is None
    consistent(road, book)


def test_it_ends_when_its_time_is_over(road: Road, book: MemoryBook, recipe: Recipe) -> None:
    two_champions(road, recipe)
    road.split(3, 0.1, 7)
    entries = ledger.entries(road.store, "wine")
    assert history.split_end(entries) is None and history.waiting(entries) >= {3}
    assert history.split_end(entries, datetime.now(UTC) + timedelta(days=8)) == "its time is over"
    assert records.overview(road.store, "wine")["split"]["over"] is None
    road.split(3, 0.1, 0)
    assert records.overview(road.store, "wine")["split"]["over"] == "its time is over"
    road.settle()  # whoever travels next writes it down
    last = ledger.entries(road.store, "wine")[-1]
    assert (last.action, last.from_version, last.note) == ("unsplit", 3, "its time is over")
    consistent(road, book)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("lives", range(1, 9))
def test_a_promotion_killed_anywhere_ends_the_split_all_the_same(
    road: Road, book: MemoryBook, recipe: Recipe, lives: int, late: bool
) -> None:
    two_champions(road, recipe)
    road.split(3, 0.1, 7)
    book.lives, book.late = lives, late
    with suppress(Killed):
        road.approve(3, override=True)
    book.lives = 10**9
    road.settle()
    assert history.champion(ledger.entries(road.store, "wine")) == 3
    assert "trial" not in book.marks
    consistent(road, book)
