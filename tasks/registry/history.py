"""What a ledger says: who is champion, who was, what was withdrawn, what waits for an answer."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tasks.artifacts import Store
from tasks.registry.ledger import Alias, Entry

WITHDRAWS = ("roll back", "back out", "forget")
ANSWERS = ("promote", "refuse", "adopt", "roll back")


def last_move(entries: Sequence[Entry], alias: Alias) -> Entry | None:
    """The entry that put the alias where it belongs."""
    return next((entry for entry in reversed(entries) if entry.alias == alias), None)


def mark_settled(store: Store, entry: Entry) -> None:
    """Remember that an entry's alias stands where the entry put it."""
    store.create(f"settled/{entry.release}/{entry.digest}.json", b"{}")


def unsettled(store: Store, entries: Sequence[Entry]) -> bool:
    """Whether the last move was perhaps interrupted between the ledger and the alias: then somebody has to look."""
    last = next((entry for entry in reversed(entries) if entry.alias), None)
    if last is None:
        return False
    return f"settled/{last.release}/{last.digest}.json" not in store.list(f"settled/{last.release}")


def holder(entries: Sequence[Entry], alias: Alias) -> int | None:
    entry = last_move(entries, alias)
    return entry.to_version if entry else None


def champion(entries: Sequence[Entry]) -> int | None:
    return holder(entries, "champion")


def withdrawn(entries: Sequence[Entry]) -> set[int]:
    """Versions that were once rolled back, backed out or forgotten: never promoted automatically again."""
    return {entry.from_version for entry in entries if entry.action in WITHDRAWS and entry.from_version is not None}


def forgotten(entries: Sequence[Entry]) -> set[int]:
    """Versions that held a document or rows which were forgotten: their files are gone, so nobody brings them back."""
    return {entry.from_version for entry in entries if entry.action == "forget" and entry.from_version is not None}


def champions(entries: Sequence[Entry]) -> list[int]:
    """Every version that was champion and never withdrawn, the newest reign first."""
    gone = withdrawn(entries)
    reigns = [entry.to_version for entry in reversed(entries) if entry.alias == "champion"]
    return list(dict.fromkeys(version for version in reigns if version is not None and version not in gone))


def last_good(entries: Sequence[Entry]) -> int | None:
    """Where a rollback goes: the newest earlier champion that was never withdrawn."""
    return next((version for version in champions(entries) if version != champion(entries)), None)


def rivals(entries: Sequence[Entry], last: int) -> list[int]:
    """Whom a candidate that is not better may not fall below: the last champions and the high-water mark.

    The mark moves only when a version is shown to be better than the best of its own rivals, or when a person
    chooses; so a row of small steps, each within the margin, ends one margin below it."""
    gone = withdrawn(entries)
    marks = [entry.to_version for entry in entries if entry.alias == "champion" and entry.anchor]
    standing = [version for version in marks if version is not None and version not in gone]
    return list(dict.fromkeys([*champions(entries)[:last], *standing[-1:]]))


def pending(entries: Sequence[Entry], now: datetime | None = None) -> list[Entry]:
    """Questions still open: not answered, not expired, and about the champion of today."""
    moment = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    asked: dict[int | None, Entry] = {}
    for entry in entries:
        if entry.action == "ask":
            asked[entry.to_version] = entry
        elif entry.action in ANSWERS:
            asked.pop(entry.to_version, None)
    today, gone = champion(entries), forgotten(entries)
    still = [entry for entry in asked.values() if entry.to_version not in gone]
    return [entry for entry in still if entry.from_version == today and (entry.expires or "") > moment]


def waiting(entries: Sequence[Entry]) -> set[int]:
    """Versions that may become champion, or are watched: in staging, challenger, trial, pending."""
    held = {holder(entries, "staging"), holder(entries, "challenger"), holder(entries, "trial")}
    named = held | {one.to_version for one in pending(entries)}
    return {version for version in named if version is not None} - forgotten(entries)


def split(entries: Sequence[Entry]) -> Entry | None:
    """The split that was not ended yet, its time over or not."""
    last = last_move(entries, "trial")
    return last if last is not None and last.to_version is not None else None


def last_split(entries: Sequence[Entry]) -> tuple[Entry, str] | None:
    """The newest split, and the moment at which it ended or is to end."""
    entry = next((one for one in reversed(entries) if one.action == "split"), None)
    if entry is None or entry.expires is None:
        return None
    later = [one.when for one in entries[entry.number :] if one.alias in ("trial", "champion")]
    return entry, min([entry.expires, *later])


def split_end(entries: Sequence[Entry], now: datetime | None = None) -> str | None:
    """Why the split is over that nobody ended yet; None where it goes on, or where there is none."""
    open_, reign = split(entries), last_move(entries, "champion")
    if open_ is None or reign is None:
        return None
    if reign.number > open_.number:
        return f"version {reign.to_version} became champion"
    moment = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    return "its time is over" if (open_.expires or "") <= moment else None


def decided(entries: Sequence[Entry], subject: str) -> Entry | None:
    """The entry that ends a decision about this candidate, champion and snapshot; None where it is not finished."""
    ends = ("promote", "refuse", "ask")
    return next((entry for entry in reversed(entries) if entry.subject == subject and entry.action in ends), None)


def declined(entries: Sequence[Entry], version: int) -> Entry | None:
    """The entry by which a person said no to what was asked about the version last."""
    about = [entry for entry in entries if entry.to_version == version and entry.action in ("ask", *ANSWERS)]
    return about[-1] if len(about) > 1 and [entry.action for entry in about[-2:]] == ["ask", "refuse"] else None


def standing(entries: Sequence[Entry], version: int) -> str:
    """What a version is now, in one word or two."""
    if champion(entries) == version:
        return "the champion"
    if version in forgotten(entries):
        return "forgotten"
    if version in withdrawn(entries):
        return "withdrawn"
    if any(entry.to_version == version for entry in pending(entries)):
        return "pending"
    if version in champions(entries):
        return "a champion of before"
    about = [entry for entry in entries if entry.to_version == version and entry.action in ("ask", "refuse")]
    if not about:
        return "without a decision"
    if about[-1].action == "ask":
        return "no longer pending"
    return "declined" if declined(entries, version) else "refused"


def with_decision(entries: Sequence[Entry]) -> set[int]:
    """Versions that the ledger knows at all."""
    return {entry.to_version for entry in entries if entry.to_version is not None}
