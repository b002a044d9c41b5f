"""A split of the traffic on the command line: set, ended, shown with what became of both versions' answers."""

import re
from datetime import datetime
from functools import partial

from flows import console, running
from flows.orders import recipe_of
from tasks.artifacts import store_at
from tasks.errors import BadInput, Refused
from tasks.registry import history, ledger, records
from tasks.settings import Settings
from tasks.watching import trial
from tasks.watching.finding import every
from tasks.watching.trial import Measure

SHARE = re.compile(r"(\d+(?:\.\d+)?) ?%")


def fraction(share: str | None) -> float:
    """`10%` as 0.1. BadInput where it is no share between none and all."""
    found = SHARE.fullmatch(share or "0%")
    if found is None or not (share is None or 0 < float(found[1]) < 100):
        raise BadInput(f"The share {share!r} is none; write it as 10%, above 0% and below 100%.")
    return float(found[1]) / 100


def change(name: str, version: int | None, share: float, days: float, note: str, settings: Settings) -> None:
    """Set the split, or end it where no version is named."""
    if version is None:
        running.move(settings, name, lambda way: way.unsplit(note))
    else:
        running.move(settings, name, lambda way: way.split(version, share, days, note))


def show(name: str, as_json: bool, settings: Settings) -> None:
    """The newest split, and how the answers of both versions compare; no server is started."""
    recipe_of(name, settings)
    entries = ledger.entries(store_at(settings.store), name)
    last = history.last_split(entries)
    if last is None:
        raise Refused(f"{name} never had a split; set one with `penstock split {name} VERSION 10%`.")
    entry, end = last
    since, until = (datetime.fromisoformat(one).timestamp() for one in (entry.when, end))
    champion, tried = str(entry.subject), str(entry.to_version)
    logged = partial(every, store_at(settings.store), settings.root, name)
    found = trial.compare(logged, champion, tried, since, until)
    state = records.split_of(entries)
    if as_json:
        console.emit({"split": state, "last": entry, "until": end, "measures": [one.model_dump() for one in found]})
        return
    ended = f"until {console.moment(end)}" if state and not state["over"] else f"ended {console.moment(end)}"
    console.out.print(f"v{tried} answers {100 * (entry.share or 0):g} % beside v{champion}, {ended}")
    heads = ("", f"v{champion}, the champion", f"v{tried}, the trial", "difference (95 %)", "")
    console.show(f"split of {name} since {console.moment(entry.when)}", heads, map(row, found))


def row(one: Measure) -> tuple[str, ...]:
    def shown(value: float | None) -> str:
        if value is None:
            return ""
        return f"{100 * value:.1f} %" if one.kind == "share" else f"{value:.4g}"

    sides = [f"{shown(value)} of {n}" for value, n in zip((one.champion, one.trial), one.counts, strict=True)]
    return (one.name, *sides, "" if one.difference is None else str(one.difference), one.says)
