"""What happens after promotion: windows of answers, drift and quality, and what an alarm may start. Needs Prefect."""

import time

from prefect import flow

from flows import publishing
from flows.alerting import alert, send_waiting
from flows.incidents import tell_aliases, tell_services
from flows.judging import faithful
from flows.orders import recipe_of
from flows.receipts import say
from flows.reference import first, reference_of, with_meaning
from flows.retrain import start
from flows.seen import Seen
from tasks.artifacts import Store, current, opened, store_at
from tasks.errors import PenstockError, Refused
from tasks.processes import locked
from tasks.registry import history, ledger, moves, records
from tasks.registry.aliases import Registry
from tasks.registry.recipes import Recipe, release_names
from tasks.registry.records import VersionRecord
from tasks.settings import Settings, load
from tasks.watching import looking, wishes
from tasks.watching.brakes import Ruling, rule
from tasks.watching.compaction import compact
from tasks.watching.parts import Part, expire, parts
from tasks.watching.replicas import replicas
from tasks.watching.shipping import ship_left
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
from tasks.watching.wishes import Wish

MEASURED = 20  # newest windows whose quality is measured again when labels arrive


@flow(name="watch", flow_run_name="{release}")
def watch(release: str) -> Seen:
    """Gather the log, close a window where it holds enough rows, measure those of before, and act on an alarm."""
    settings = load()
    recipe = recipe_of(release, settings)
    with opened(settings.store) as store, locked(settings.root / "locks" / f"watch-{release}"):
        send_waiting(settings)
        entries = ledger.entries(store, release)
        champion = history.champion(entries)
        if champion is None:
            return Seen(release=release, text=f"{release} has no champion yet, so there is nothing to watch.")
        with Registry(settings.mlflow_url) as registry:
            tell_aliases(release, moves.outside(registry, release, entries), entries, settings)
        tell_services(replicas(store, release, fresh_s=float("inf")), settings)
        gather(store, release, settings)
        record = records.version(store, release, champion)
        seen = look(store, recipe, record, settings)
        return publishing.published(act(store, recipe, record, seen, settings), settings)


@flow(name="watch-all")
def watch_all() -> list[Seen]:
    """Every release with a champion, one after the other; what one of them fails in keeps none from being watched."""
    settings = load()
    store, seen, failed = store_at(settings.store), [], []
    for release in release_names(settings.folders):
        if history.champion(ledger.entries(store, release)) is None:
            continue
        try:
            seen.append(watch(release))
        except PenstockError as error:
            failed.append(f"{release}: {error}")
    if failed:
        raise Refused("Some releases could not be watched. " + " ".join(failed))
    return seen


def gather(store: Store, release: str, settings: Settings) -> None:
    """Segments of all replicas to parts; parts past their time go."""
    ship_left(store, settings.root, release)
    for part in compact(store, release):
        lost = f", {part.unreadable} unreadable lines kept aside" if part.unreadable else ""
        odd = f", {part.duplicates} twice" if part.duplicates else ""
        odd += f", {part.backwards} times a clock went back" if part.backwards else ""
        say(f"log: {part.rows} lines of {len(part.segments)} segments{odd}{lost}")
    if gone := expire(store, release, settings.log_days, time.time()):
        say(f"log: {gone} parts older than {settings.log_days:g} days removed (PENSTOCK_LOG_DAYS)")


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
    found, told = qualities(store, recipe.name), truth(store, logged)
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


def act(store: Store, recipe: Recipe, record: VersionRecord, seen: Seen, settings: Settings) -> Seen:
    """What the newest window may start, within the brakes; an open wish is started again until it was acted on."""
    release = recipe.name
    known = wishes.wishes(store, release)
    wish = next((one for one in reversed(known) if one.open(record.version)), None)
    if wish is None:
        every = windows(store, release)
        before = wishes.past(known, every, record.version, recipe.watch.of)
        ruling = rule(recipe.watch, seen.alarmed, seen.faults, before, time.time())
        say(f"{release}: {ruling.do} ({ruling.why})")
        tell(recipe, seen, ruling, settings)
        seen = seen.model_copy(update={"ruling": ruling})
        if ruling.do not in ("ask", "retrain") or seen.window is None:
            return seen
        wish = wishes.make(
            store,
            Wish(
                release=release,
                number=len(known) + 1,
                champion=record.version,
                window=seen.window.number,
                why=seen.reasons,
                when=time.time(),
            ),
        )
    start(store, wish)
    return seen.model_copy(update={"wish": wishes.find(store, release, wish.number)})


def tell(recipe: Recipe, seen: Seen, ruling: Ruling, settings: Settings) -> None:
    """An alarm is told; and once more where the brakes stopped retraining for good."""
    if not seen.alarmed or seen.window is None:
        return
    release, number = recipe.name, seen.window.number
    do = {
        "suggest": f"See `penstock drift {release}`; `penstock train {release}` trains on what the sources hold now.",
        "ask": f"`penstock retrain {release}` trains it, with --no it does not; or answer in the Prefect UI.",
        "retrain": "It is being trained; the gate decides.",
    }.get(ruling.do, ruling.why)
    alert("drift", release, f"{release} v{seen.champion}, window {number}", f"{seen.reasons}\n{do}", settings)
    if ruling.do == "stop":
        alert("stopped retraining", release, f"{release} v{seen.champion}", f"{seen.reasons}\n{ruling.why}", settings)
