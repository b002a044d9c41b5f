"""Runs the watch flow from the command line, and shows what it found."""

import os
import sys
import webbrowser
from collections.abc import Sequence

from flows import console, running, servers
from flows.orders import recipe_of
from tasks.artifacts import opened, store_at
from tasks.errors import NotFound, Refused
from tasks.registry import ledger, records
from tasks.registry.history import champion
from tasks.registry.recipes import release_names
from tasks.settings import Settings
from tasks.watching.windows import Window, qualities, windows

HEADS = ("column", "change", "effect", "p, corrected")


def watch(name: str | None, settings: Settings) -> None:
    """One release, or all that have a champion."""
    store = store_at(settings.store)
    names = [recipe_of(name, settings).name] if name else release_names(settings.folders)
    chosen = [one for one in names if name or champion(ledger.entries(store, one))]
    if not chosen:
        raise Refused("No release has a champion yet; `penstock train NAME` makes one.")
    running.connect(settings)
    servers.wait(settings)
    from flows.publishing import columns, facts
    from flows.watch import watch as flow

    for release in chosen:
        seen = flow(release)
        console.out.print(seen.text)
        if rows := facts(seen):
            console.show(f"{release}: window {seen.window.number if seen.window else ''}", ("", ""), rows)
        if seen.new and seen.window is not None and seen.window.exceeds:
            drifted = [row for row in columns(seen.window) if row[-1]]
            console.show("drifted columns", HEADS, [row[:-1] for row in drifted])


def drift(name: str, number: int | None, as_json: bool, settings: Settings) -> None:
    """The verdict of a window; its page is written anew where it is gone."""
    recipe_of(name, settings)
    store = store_at(settings.store)
    known = windows(store, name)
    window = chosen(name, known, number)
    if as_json:
        measured = qualities(store, name).get(window.number)
        console.emit(window.model_dump(mode="json") | {"quality": measured and measured.model_dump(mode="json")})
        return
    running.connect(settings)
    servers.wait(settings)
    from flows.publishing import columns, facts, page
    from flows.seen import Seen
    from flows.windowing import redrawn

    seen = Seen(release=name, text="", champion=window.champion, window=window, qualities=qualities(store, name))
    console.show(f"{name}: window {window.number}", ("", ""), facts(seen))
    if rows := columns(window):
        console.show("columns", (*HEADS, "drifted"), rows)
    path = page(settings, name, window.number)
    if not path.exists():
        with opened(settings.store):
            redrawn(window, records.version(store, name, window.champion), settings)
    if path.exists():
        console.out.print(str(path))
        if sys.stdout.isatty():
            webbrowser.open(path.as_uri())


def chosen(name: str, known: Sequence[Window], number: int | None) -> Window:
    if not known:
        raise Refused(f"{name} has no window yet: `penstock watch {name}` closes one as soon as enough was answered.")
    found = next((one for one in known if one.number == number), None) if number else known[-1]
    if found is None:
        raise NotFound(f"{name} has no window {number}; there are 1 to {known[-1].number}.")
    return found


def retrain(name: str, yes: bool, note: str, settings: Settings) -> None:
    """Answer the open question of a release, and train here and now where the answer is yes."""
    recipe_of(name, settings)
    running.connect(settings)
    servers.wait(settings)
    from flows.retrain import retrain as flow
    from flows.retrain import say_yes_or_no

    wish = say_yes_or_no(name, yes, note, settings)
    if not yes:
        console.out.print(f"{name} is not trained for window {wish.window}: said so.")
        return
    outcome = flow(name, wish.number)
    if outcome is not None:
        store = store_at(settings.store)
        console.show_outcome(outcome, records.version(store, name, outcome.version) if outcome.version else None)


def evidently(port: int, settings: Settings) -> None:
    """Become Evidently's server on the workspace that the watch flow writes."""
    from flows.publishing import workspace

    place = workspace(settings)
    if not place.exists():
        raise Refused("There is no window to show yet: `penstock watch` closes one as soon as enough was answered.")
    command = ["evidently.cli", "ui", "--workspace", str(place), "--host", "127.0.0.1", "--port", str(port)]
    sys.stderr.write(f"Evidently on http://127.0.0.1:{port}; Ctrl-C ends it\n")
    os.execve(sys.executable, [sys.executable, "-m", *command], servers.environment(settings))
