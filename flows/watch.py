"""What happens after promotion: windows of answers, drift and quality, and what an alarm may start. Needs Prefect."""

import time

from prefect import flow

from flows import publishing
from flows.alerting import alert, send_waiting
from flows.incidents import tell_aliases, tell_services
from flows.orders import recipe_of
from flows.receipts import say
from flows.retrain import start
from flows.seen import Seen
from flows.windowing import look
from tasks.artifacts import Store, opened, store_at
from tasks.errors import PenstockError, Refused
from tasks.processes import locked
from tasks.registry import history, ledger, moves, records
from tasks.registry.aliases import Registry
from tasks.registry.recipes import Recipe, release_names
from tasks.registry.records import VersionRecord
from tasks.settings import Settings, load
from tasks.watching import wishes
from tasks.watching.brakes import Ruling, rule
from tasks.watching.compaction import compact
from tasks.watching.parts import expire
from tasks.watching.replicas import replicas
from tasks.watching.shipping import ship_left
from tasks.watching.windows import windows
from tasks.watching.wishes import Wish


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
