"""The chain: tampering shows, and two writers cannot both be next."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.artifacts import Store
from tasks.errors import Refused
from tasks.registry import history, ledger
from tasks.registry.ledger import Entry, Move


def write(store: Store, *moves: Move) -> list[Entry]:
    for move in moves:
        ledger.append(store, "wine", "me", lambda _, move=move: move)  # type: ignore[misc]
    return ledger.entries(store, "wine")


def promote(version: int, before: int | None = None, **more: object) -> Move:
    return Move.model_validate(
        {"action": "promote", "alias": "champion", "from_version": before, "to_version": version, **more}
    )


def back(version: int, to: int | None, action: str = "roll back") -> Move:
    return Move.model_validate({"action": action, "alias": "champion", "from_version": version, "to_version": to})


def test_entries_are_chained(store: Store) -> None:
    one, two = write(store, promote(1), promote(2, 1))
    assert (one.number, one.previous, two.number, two.previous) == (1, "", 2, one.digest)
    assert ledger.problems([one, two]) == []


@pytest.mark.parametrize("change", [{"to_version": 3}, {"who": "another"}, {"note": "x"}, {"number": 5}])
def test_an_altered_entry_shows_and_nothing_moves_on_it(store: Store, change: dict[str, object]) -> None:
    write(store, promote(1), promote(2, 1), promote(3, 2))
    name = "ledger/wine/000002.json"
    store.write(name, json.dumps(json.loads(store.read(name)) | change).encode())
    assert ledger.problems(ledger.entries(store, "wine"))
    with pytest.raises(Refused, match="does not hold"):
        write(store, promote(4, 3))


def test_an_entry_altered_with_its_digest_breaks_the_next(store: Store) -> None:
    _, two, _ = write(store, promote(1), promote(2, 1), promote(3, 2))
    forged = two.model_copy(update={"to_version": 7})
    forged = forged.model_copy(update={"digest": forged.sealed()})
    store.write("ledger/wine/000002.json", forged.model_dump_json().encode())
    assert ledger.problems(ledger.entries(store, "wine")) == [
        "Entry 3 does not follow entry 2: it names another digest."
    ]


def test_a_missing_entry_shows(store: Store) -> None:
    write(store, promote(1), promote(2, 1), promote(3, 2))
    store.place("ledger/wine/000002.json").unlink()
    assert ledger.problems(ledger.entries(store, "wine")) == ["Entry 2 is missing: the next one says 3."]


def test_what_is_no_entry_is_named(store: Store) -> None:
    store.write("ledger/wine/000001.json", b"{}")
    with pytest.raises(Refused, match=r"000001\.json"):
        ledger.entries(store, "wine")


def test_writers_at_once_make_one_chain(store: Store) -> None:
    def one(number: int) -> None:
        ledger.append(Store(store.root), "wine", f"writer {number}", lambda _: promote(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(1, 25)))
    found = ledger.entries(store, "wine")
    assert ledger.problems(found) == []
    assert {entry.to_version for entry in found} == set(range(1, 25))


def test_of_two_writers_of_the_same_only_one_writes(store: Store) -> None:
    def once(entries: list[Entry]) -> Move | None:
        return None if entries else promote(1)

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: ledger.append(Store(store.root), "wine", "me", once), range(8)))
    assert sum(entry is not None for entry in done) == 1
    assert len(ledger.entries(store, "wine")) == 1


def test_rollback_goes_to_the_newest_champion_never_withdrawn(store: Store) -> None:
    entries = write(store, promote(1), promote(2, 1), promote(3, 2), back(3, 2))
    assert (history.champion(entries), history.last_good(entries), history.withdrawn(entries)) == (2, 1, {3})
    entries = write(store, promote(4, 2), promote(5, 4), back(5, 4, "back out"))
    assert (history.champion(entries), history.last_good(entries)) == (4, 2)
    entries = write(store, back(4, 2), back(2, 1))
    assert (history.champion(entries), history.last_good(entries)) == (1, None)


def test_rivals_are_the_last_champions_and_the_high_water_mark(store: Store) -> None:
    entries = write(store, promote(1, anchor=True), *(promote(n, n - 1) for n in range(2, 6)))
    assert history.rivals(entries, 2) == [5, 4, 1]
    entries = write(store, promote(6, 5, anchor=True), promote(7, 6))
    assert history.rivals(entries, 1) == [7, 6]
    entries = write(store, back(7, 6), back(6, 5))
    assert history.rivals(entries, 1) == [5, 1]


def test_a_question_closes_when_answered_expired_or_overtaken(store: Store) -> None:
    def ask(version: int, expires: str) -> Move:
        return Move(action="ask", from_version=1, to_version=version, expires=expires)

    entries = write(store, promote(1), ask(2, "2999"), ask(3, "2001"), ask(4, "2999"))
    assert [entry.to_version for entry in history.pending(entries)] == [2, 4]
    entries = write(store, Move(action="refuse", to_version=4), Move(action="shadow", alias="challenger", to_version=2))
    assert [entry.to_version for entry in history.pending(entries)] == [2]
    entries = write(store, promote(5, 1))
    assert history.pending(entries) == []
