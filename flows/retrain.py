"""A retraining that an alarm asked for: looked at again when it starts, and asked about where the recipe says so."""

import time
from importlib import import_module
from itertools import count

from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.input import RunInput
from prefect.runtime import deployment

from flows.asking import asked
from flows.kinds import KINDS
from flows.orders import Order, recipe_of
from flows.receipts import say
from flows.release import traveller
from tasks.artifacts import Store, store_at
from tasks.errors import PenstockError, Refused
from tasks.registry import history, ledger
from tasks.registry.road import Outcome
from tasks.settings import Settings, load
from tasks.watching import wishes
from tasks.watching.wishes import Answer, Wish

TRIES = 3  # runs that may die without a word before a wish counts as a retraining that did not help


class Retraining(RunInput):
    """The form of a suspended run: whether the release is trained anew."""

    retrain: bool
    note: str = ""


@flow(name="retrain", flow_run_name="{release}-{wish}")
def retrain(release: str, wish: int) -> Outcome | None:
    """Train because of an alarm; nothing where that was done, declined, or asked about another champion."""
    settings = load()
    store = store_at(settings.store)
    found = wishes.find(store, release, wish)
    if not found.open(champion_of(store, release)):
        say(f"wish {wish} of {release} was acted on, declined, or is about an earlier champion: nothing to do")
        return None
    if recipe_of(release, settings).watch.act == "ask" and not agreed(store, found, settings):
        return None
    return trained(store, found)


def agreed(store: Store, wish: Wish, settings: Settings) -> bool:
    """Whether a person said yes; in a deployment they are asked, and the run ends here until they answer."""
    if wish.answer is None and deployment.id:
        days = recipe_of(wish.release, settings).approval_days
        question = Retraining.with_initial_data(description=f"# Train {wish.release}?\n\n{wish.why}", retrain=False)
        said = asked(question, f"retrain-{wish.number}", days)
        wish = wishes.answer(store, wish, Answer(yes=said.retrain, who=traveller(), note=said.note, when=time.time()))
    if wish.answer is None:
        say(f"train {wish.release}? `penstock retrain {wish.release}` says yes, with --no it says no")
        return False
    say(f"{wish.answer.who} said {'yes' if wish.answer.yes else 'no'} {wish.answer.note}".rstrip())
    return wish.answer.yes


def trained(store: Store, wish: Wish) -> Outcome:
    """Train on what the sources hold now; whatever comes of it is what became of the wish."""
    settings = load()
    order = Order(release=wish.release, refresh=True, accept_drift=True)
    try:
        outcome: Outcome = import_module(KINDS[recipe_of(wish.release, settings).kind].flow).train(order)
    except PenstockError as error:
        ended(store, wish, None, False, f"it failed: {error}")
        raise
    ended(store, wish, outcome.version, outcome.champion == outcome.version, outcome.text)
    return outcome


def ended(store: Store, wish: Wish, version: int | None, promoted: bool, text: str) -> None:
    wishes.end(store, wish, wishes.Outcome(version=version, promoted=promoted, text=text, when=time.time()))


def start(store: Store, wish: Wish) -> None:
    """Have the wish acted on: by a run of the deployment, or here and now where this is no deployment's run.

    May be repeated: a run that is under way is found, and one that died is started anew a few times."""
    if not deployment.id:
        retrain(wish.release, wish.number)
        return
    for attempt in count():
        if attempt == TRIES:
            ended(store, wish, None, False, f"{TRIES} runs died without a word; see their logs")
            return
        key, parameters = f"{wish.release}-{wish.number}-{attempt}", {"release": wish.release, "wish": wish.number}
        try:
            run = run_deployment(  # sync here
                "retrain/retrain", parameters=parameters, timeout=0, idempotency_key=key, as_subflow=False
            )
        except ObjectNotFound:
            raise Refused("There is no deployment `retrain`; run `penstock deploy`.") from None
        assert isinstance(run, FlowRun) and run.state is not None
        if not run.state.is_final() or run.state.is_completed():
            return


def say_yes_or_no(release: str, yes: bool, note: str, settings: Settings) -> Wish:
    """Answer the newest open wish of a release. Refused where there is none."""
    store = store_at(settings.store)
    champion = champion_of(store, release)
    found = next((one for one in reversed(wishes.wishes(store, release)) if one.open(champion)), None)
    if found is None:
        raise Refused(f"No alarm of {release} waits for an answer; `penstock train {release}` trains it all the same.")
    return wishes.answer(store, found, Answer(yes=yes, who=traveller(), note=note, when=time.time()))


def champion_of(store: Store, release: str) -> int | None:
    return history.champion(ledger.entries(store, release))
