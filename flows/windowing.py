"""A window of the log, from its parts to its record and its page; and quality, as far as labels have arrived."""

import time

from flows import publishing
from flows.judging import faithful
from flows.receipts import say
from flows.reference import first, reference_of, with_meaning
from flows.seen import Seen
from tasks.artifacts import Store, current
from tasks.errors import Refused
from tasks.registry.recipes import Recipe
from tasks.registry.records import VersionRecord
from tasks.settings import Settings
from tasks.watching import looking
from tasks.watching.parts import Part, parts
from tasks.watching.truth import truth, unknown
from tasks.watching.windows import (
    Quality,
    Window,
    alarmed,
    keep,
    keep_quality,
    missed,
    qualities,
    taken,
    windows,
)

MEASURED = 20  # newest windows whose quality is measured again when labels arrive


def look(store: Store, recipe: Recipe, record: VersionRecord, settings: Settings) -> Seen:
    """The window that the waiting parts make, if they hold enough rows; and quality, as far as labels have arrived."""
    release, known = recipe.name, windows(store, recipe.name)
    logged = parts(store, release)
    waiting = [part for part in logged if part.id not in taken(known)]
    rows = sum(part.versions.get(str(record.version), 0) for part in waiting)
    made = close(store, recipe, record, known, waiting, settings) if rows >= recipe.watch.rows else None
    known = [*known, made] if made else known
    measured = measure(store, recipe, record, known, logged, settings)
    latest = next((one for one in reversed(known) if one.champion == record.version), None)
    needed = recipe.watch.rows - rows
    text = f"not enough data for a window of {release}: {rows} rows since the last one, {needed} more needed"
    if made:
        text = f"window {made.number} of {release}: {made.rows} rows"
    say(text)
    return Seen(
        release=release, champion=record.version, text=text, window=latest, new=made is not None,
        qualities=measured, missed=missed(known, measured),
    )  # fmt: skip


def close(
    store: Store,
    recipe: Recipe,
    record: VersionRecord,
    known: list[Window],
    waiting: list[Part],
    settings: Settings,
) -> Window:
    """Make the next window of these parts, with its verdict, its estimate and its page."""
    champion, release = record.version, recipe.name
    reference, shape = reference_of(store, recipe.name, record, settings)
    found = looking.look(store, shape, waiting, champion)
    reference, found, notes = with_meaning(store, release, record, reference, found, settings)
    verdict = looking.compared(reference, found) if reference else None
    judged = faithful(store, release, waiting, champion, settings) if recipe.kind == "documents" else {}
    named = reference or first(store, release, champion, shape, found)
    window = Window(
        release=release,
        number=known[-1].number + 1 if known else 1,
        champion=champion,
        reference=named.frame.digest,
        parts=tuple(part.id for part in waiting),
        rows=found.rows.rows + found.faulty,
        others=sum(sum(part.versions.values()) for part in waiting) - found.rows.rows - found.faulty,
        since=min(part.first for part in waiting if part.first is not None),
        until=max(part.last for part in waiting if part.last is not None),
        verdict=verdict,
        alarm=alarmed(known, champion, bool(verdict and verdict.exceeds), recipe.watch),
        faulty=found.faulty,
        faults=found.faults,
        rates=found.rates | judged,
        metric=recipe.metric,
        estimate=looking.foretold(recipe.metric, named, store, waiting, champion),
        notes=(*(f"{name} is hashed or dropped in the log, and not watched" for name in shape.hidden), *notes),
        made=time.time(),
    )
    publishing.draw(window, named, found, record, settings)
    keep(store, window)
    return window


def redrawn(window: Window, record: VersionRecord, settings: Settings) -> None:
    """The page of a window once more, from the log. Refused: its rows are past their time."""
    store = current()
    held = [part for part in parts(store, window.release) if part.id in window.parts]
    if len(held) < len(window.parts):
        raise Refused(f"The rows of window {window.number} are past their time (PENSTOCK_LOG_DAYS): see MLflow's copy.")
    reference, shape = reference_of(store, window.release, record, settings)
    if reference is not None:
        publishing.draw(window, reference, looking.look(store, shape, held, window.champion), record, settings)


def measure(
    store: Store,
    recipe: Recipe,
    record: VersionRecord,
    known: list[Window],
    logged: list[Part],
    settings: Settings,
) -> dict[int, Quality]:
    """The quality of the newest windows, again where feedback has arrived since."""
    found = qualities(store, recipe.name)
    if not any(part.kinds.get("feedback") for part in logged):
        return found
    told = truth(store, logged)
    lost = unknown(store, logged, told)
    if lost.count:
        say(f"{lost.count} labels are of requests that the log does not hold, such as {', '.join(lost.examples)}")
    reference, _ = reference_of(store, recipe.name, record, settings)
    if reference is None or reference.scored is None:
        return found
    for window in [one for one in known if one.champion == record.version][-MEASURED:]:
        held = [part for part in logged if part.id in window.parts]
        fresh = window.number not in found or found[window.number].feedback != len(told.keys)
        if fresh and len(held) == len(window.parts):
            promised = record.metrics.get(recipe.metric)
            slices = [name for name in recipe.slices if name in reference.shape.columns]
            quality = looking.measured(window, reference, store, held, told, promised, slices)
            if quality is not None:
                keep_quality(store, window, quality)
                found[window.number] = quality
    return found
