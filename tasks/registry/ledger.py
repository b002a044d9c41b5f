"""The ledger of a release: append-only, each entry hashed over the one before and an immutable object."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.artifacts import Store, canonical, sha256
from tasks.errors import Refused

Action = Literal[
    "stage", "promote", "refuse", "ask", "shadow", "unshadow", "split", "unsplit", "roll back", "back out", "adopt",
    "forget",
]  # fmt: skip
Alias = Literal["champion", "staging", "challenger", "trial"]
TRIES = 100


class Move(BaseModel):
    """What is to be written: an action that moves `alias` from one version to another, or only says so.

    `subject` names what a decision was about, or the champion beside which a split was set; `anchor`: the version is a
    high-water mark from here on;
    `override`: a person promoted what the gate had not; `expires`: until when a question stays open or a split lasts;
    `share`: of the traffic that the split gives to the version, from 0 to 1."""

    model_config = ConfigDict(frozen=True)

    action: Action
    alias: Alias | None = None
    from_version: int | None = None
    to_version: int | None = None
    decision: str | None = None
    subject: str | None = None
    anchor: bool = False
    override: bool = False
    expires: str | None = None
    share: float | None = None
    note: str = ""


class Entry(Move):
    """A move with its place in the chain."""

    schema_version: int = 1
    number: int
    release: str
    who: str
    when: str
    previous: str
    digest: str = ""

    def written(self) -> dict[str, Any]:
        """The entry as it is kept; without `share` where there is none, as in entries that are older than it."""
        return self.model_dump(mode="json", exclude={"share"} if self.share is None else None)

    def sealed(self) -> str:
        told = self.written()
        del told["digest"]
        return sha256(canonical(told))


def entries(store: Store, release: str) -> list[Entry]:
    """All entries in order, as they stand: whether the chain holds is `problems`'s question."""
    return [_read(store, name) for name in store.list(f"ledger/{release}")]


def checked(store: Store, release: str) -> list[Entry]:
    """All entries; Refused where the chain does not hold: nothing moves on a ledger that was tampered with."""
    found = entries(store, release)
    wrong = problems(found)
    if wrong:
        raise Refused(f"The ledger of {release} in {store.root} does not hold: {wrong[0]} Restore its objects first.")
    return found


def problems(found: list[Entry]) -> list[str]:
    """Where the chain breaks: a gap, an altered entry, an entry that does not follow the one before."""
    wrong, previous = [], ""
    for place, entry in enumerate(found, start=1):
        if entry.number != place:
            wrong.append(f"Entry {place} is missing: the next one says {entry.number}.")
            break
        if entry.digest != entry.sealed():
            wrong.append(f"Entry {place} was altered: its digest is not that of its content.")
        if entry.previous != previous:
            wrong.append(f"Entry {place} does not follow entry {place - 1}: it names another digest.")
        previous = entry.digest
    return wrong


def append(store: Store, release: str, who: str, choose: Callable[[list[Entry]], Move | None]) -> Entry | None:
    """Write what `choose` makes of the present entries (None: nothing to write).

    Where another writer was first, `choose` is asked again with its entry in view."""
    for _ in range(TRIES):
        found = checked(store, release)
        move = choose(found)
        if move is None:
            return None
        entry = _next(found, move, release, who)
        if store.create(f"ledger/{release}/{entry.number:06}.json", canonical(entry.written())):
            return entry
    raise Refused(f"The ledger of {release} in {store.root} is being written too fast; try again in a moment.")


def _next(found: list[Entry], move: Move, release: str, who: str) -> Entry:
    entry = Entry(
        **move.model_dump(),
        number=len(found) + 1,
        release=release,
        who=who,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        previous=found[-1].digest if found else "",
    )
    return entry.model_copy(update={"digest": entry.sealed()})


def _read(store: Store, name: str) -> Entry:
    try:
        return Entry.model_validate_json(store.read(name))
    except ValidationError:
        raise Refused(f"{name} in {store.root} is not a ledger entry; restore it from a copy.") from None
