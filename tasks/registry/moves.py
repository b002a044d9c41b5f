"""Aliases follow the ledger: entry first, then tag, then alias, then the tag of the version that lost it.

Every step may be repeated, so a run that was killed anywhere in between is finished by the next one."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tasks.registry import history
from tasks.registry.aliases import Book
from tasks.registry.ledger import Alias, Entry
from tasks.registry.rest import SPLIT, Terms, VersionInfo, ledger_tag

ALIASES: tuple[Alias, ...] = ("staging", "champion", "challenger", "trial")
Standing = Literal["settled", "interrupted", "outside"]


@dataclass
class Settled:
    """What was finished, and where each alias stands that a person moved outside the ledger."""

    finished: list[Entry] = field(default_factory=list)
    outside: dict[Alias, int | None] = field(default_factory=dict)


def finish(book: Book, entry: Entry) -> None:
    """Do what an entry says."""
    assert entry.alias is not None
    alias, tag, new = entry.alias, ledger_tag(entry.alias), entry.to_version
    if new is None:
        book.delete_alias(entry.release, alias)
    else:
        if terms := terms_of(entry):
            book.set_tag(entry.release, new, SPLIT, terms.model_dump_json())
        book.set_tag(entry.release, new, tag, entry.digest)
        book.set_alias(entry.release, alias, new)
    if entry.from_version is not None and entry.from_version != new:
        book.delete_tag(entry.release, entry.from_version, tag)


def terms_of(entry: Entry) -> Terms | None:
    """What a split's entry tells the services; None of any other entry."""
    if entry.share is None or entry.expires is None:
        return None
    until = datetime.fromisoformat(entry.expires).timestamp()
    return Terms(against=entry.subject or "", share=entry.share, until=until, entry=entry.digest)


def settle(book: Book, release: str, entries: list[Entry]) -> Settled:
    """Finish the moves that were interrupted; aliases outside the ledger are left, and told."""
    settled, present = Settled(), book.aliases(release)
    if not present and not any(entry.alias for entry in entries):
        return settled
    versions = book.versions(release)
    for alias in ALIASES:
        entry = history.last_move(entries, alias)
        standing = standing_of(alias, entry, present.get(alias), versions)
        if standing == "outside":
            settled.outside[alias] = present.get(alias)
        elif standing == "interrupted" and entry is not None:
            finish(book, entry)
            _drop_others(book, alias, entry, versions)
            settled.finished.append(entry)
    return settled


def outside(book: Book, release: str, entries: list[Entry]) -> dict[Alias, int | None]:
    """Where each alias stands that a person moved outside the ledger; unlike `settle` it mends nothing."""
    present, versions = book.aliases(release), book.versions(release)
    last = {alias: history.last_move(entries, alias) for alias in ALIASES}
    standing = {alias: standing_of(alias, last[alias], present.get(alias), versions) for alias in ALIASES}
    return {alias: present.get(alias) for alias in ALIASES if standing[alias] == "outside"}


def standing_of(alias: Alias, entry: Entry | None, at: int | None, versions: list[VersionInfo]) -> Standing:
    """Whether the alias is where its last entry put it; if not, whether the move or a person stopped half-way.

    The winner is tagged before the alias moves, and the loser keeps its tag until then: an alias elsewhere than
    at a tagged loser, after the winner was tagged, was moved by hand."""
    tagged = {info.version: info.tags[ledger_tag(alias)] for info in versions if ledger_tag(alias) in info.tags}
    if entry is None:
        return "outside" if at is not None else "settled"
    right = {entry.to_version: entry.digest} if entry.to_version is not None else {}
    if at == entry.to_version:
        return "settled" if tagged == right else "interrupted"
    early = at in tagged or any(tagged.get(version) != digest for version, digest in right.items())
    return "interrupted" if at is None or (at == entry.from_version and early) else "outside"


def _drop_others(book: Book, alias: Alias, entry: Entry, versions: list[VersionInfo]) -> None:
    for info in versions:
        if ledger_tag(alias) in info.tags and info.version not in (entry.to_version, entry.from_version):
            book.delete_tag(entry.release, info.version, ledger_tag(alias))
