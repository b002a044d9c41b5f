"""What alerts say of outcomes, aliases and services: what happened, where to look, what to do."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from flows.alerting import alert
from tasks.artifacts import store_at
from tasks.registry import history, ledger
from tasks.registry.ledger import Alias, Entry
from tasks.registry.road import Outcome
from tasks.settings import Settings
from tasks.watching.replicas import Heartbeat

SILENT_S = 120.0  # seconds without a heartbeat (one every few) after which a replica that did not leave is missed
MEND = {
    "champion": "`penstock adopt {0}` keeps it there, `penstock rollback {0}` moves it back.",
    "challenger": "`penstock shadow {0} VERSION` or `--off` settles it.",
    "staging": "The next training of {0} moves it.",
}


def tell_outcome(outcome: Outcome, settings: Settings) -> None:
    """Where a version was refused or backed out."""
    if outcome.state not in ("refused", "withdrawn"):
        return
    release, version = outcome.release, outcome.version
    entries = ledger.entries(store_at(settings.store), release)
    lines = [outcome.text, *(reason.text for reason in (outcome.decision.failed if outcome.decision else []))]
    lines += [f"The champion is {version_of(outcome.champion)}.", f"Evidence: `penstock report {release} {version}`."]
    if any(entry.action == "back out" and entry.from_version == version for entry in entries):
        lines.append(f"Mend what it says and train again: `penstock train {release}`.")
        alert("back-out", release, f"version {version} of {release}", "\n".join(lines), settings)
    else:
        lines.append(f"To promote it all the same: `penstock approve {release} {version} --override`.")
        alert("refused promotion", release, f"version {version} of {release}", "\n".join(lines), settings)


def tell_aliases(
    release: str, outside: Mapping[Alias, int | None], entries: Sequence[Entry], settings: Settings
) -> None:
    """Where aliases were moved by hand, as `moves.outside` finds them."""
    for alias, at in outside.items():
        text = (
            f"By the ledger the alias {alias} of {release} is at {version_of(history.holder(entries, alias))}; it was "
            f"moved by hand, and services do not load what the ledger does not name. {MEND[alias].format(release)}\n"
            f"All that does not agree: `penstock verify {release}`."
        )
        alert("alias outside the ledger", release, f"{alias} of {release} is at {version_of(at)}", text, settings)


def tell_services(beats: Sequence[Heartbeat], settings: Settings) -> None:
    """Where replicas fell silent; each silence is told once."""
    for one in silent(beats, time.time()):
        since = datetime.fromtimestamp(one.time, UTC).strftime("%Y-%m-%d %H:%M UTC")
        text = (
            f"The replica {one.replica} answered with version {one.version} at {one.url} (process {one.pid}). It did "
            f"not say that it leaves: it was killed or hangs, or its machine or disk is gone.\n"
            f"Ask {one.url}/ready, read its log, start it again: `penstock serve {one.release}`."
        )
        alert("silent service", one.release, f"{one.release} at {one.url}, since {since}", text, settings)


def silent(beats: Sequence[Heartbeat], now: float) -> list[Heartbeat]:
    """Who left no heartbeat for long; a replica that ends as it should removes its own."""
    return [one for one in beats if now - one.time > SILENT_S]


def version_of(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"
