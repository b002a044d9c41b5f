"""Alerts about releases: kept in the store first, then sent by Apprise; what a receiver refuses is sent again later.

Those about runs are sent by Prefect's server, since the process of a run may be dead (flows/automations.py)."""

import logging
import time
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from apprise import Apprise, NotifyBase
from apprise.utils.parse import parse_urls
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for
from pydantic import BaseModel, ValidationError

from tasks.artifacts import Store, canonical, sha256, store_at
from tasks.errors import BadInput, NotFound
from tasks.processes import locked
from tasks.settings import Settings

Kind = Literal[
    "drift", "stopped retraining", "refused promotion", "back-out", "alias outside the ledger", "silent service"
]
EVENTS = ("refused promotion", "back-out", "silent service")  # happen once; the others last, and are told again
QUIET_S = 86_400.0  # seconds in which the same alert about what lasts is not sent again
KEPT_S = 30 * 86_400.0  # seconds for which an alert is kept after it was sent

logger = logging.getLogger("penstock.flows")


class Alert(BaseModel):
    """One alert; `heard` names the receivers that took it, by the digest of their URL, since URLs hold secrets."""

    schema_version: int = 1
    kind: Kind
    release: str
    title: str
    text: str
    time: float
    heard: list[str] = []
    sent: bool = False

    @property
    def name(self) -> str:
        subject = sha256(canonical([self.kind, self.title]))[:12]
        return f"alerts/{self.release}/{self.time:.0f}-{subject}.json"

    def repeats(self, other: "Alert") -> bool:
        """Whether it says what another alert has said a short time before."""
        same = (self.kind, self.release, self.title) == (other.kind, other.release, other.title)
        return same and (self.kind in EVENTS or self.time - other.time < QUIET_S)


def alert(kind: Kind, release: str, title: str, text: str, settings: Settings) -> bool:
    """Keep an alert and send it, with all that wait. `title` is what it is about: the same one is quiet for a while.

    `text` says where to look and what to do; the link to the present flow run is added. Never an error where a
    receiver refuses: that is told in the run's log, and the next call tries again. False: it was told before."""
    link = f"\nRun: {url_for('flow-run', UUID(flow_run.id))}" if flow_run.id else ""
    new = Alert(kind=kind, release=release, title=title, text=text + link, time=time.time())
    store = store_at(settings.store)
    with locked(settings.root / "locks" / "alerts"):
        told = any(new.repeats(one) for one in kept(store))
        if not told:
            keep(store, new)
    send_waiting(settings)
    return not told


def send_waiting(settings: Settings) -> None:
    """Try again what no receiver, or not each, has taken; and clear away what was sent long ago."""
    store = store_at(settings.store)
    with locked(settings.root / "locks" / "alerts"):
        known = kept(store)
        try:
            send(store, [one for one in known if not one.sent], receivers(settings))
        except BadInput as error:
            logger.warning("no alert can be sent: %s", error)
        for one in known:
            if one.sent and one.time < time.time() - KEPT_S:
                store.remove(one.name)


def kept(store: Store) -> list[Alert]:
    """Every alert of the store; one that cannot be read is told, and no reason to stop."""
    found = []
    for name in store.list("alerts"):
        try:
            found.append(Alert.model_validate_json(store.read(name)))
        except (NotFound, ValidationError) as error:
            logger.warning("the alert %s cannot be read: %s", name, error)
    return found


def keep(store: Store, one: Alert) -> None:
    store.write(one.name, one.model_dump_json().encode())


def send(store: Store, waiting: Sequence[Alert], to: dict[str, NotifyBase]) -> None:
    """The newest first; a receiver that refuses one is left in peace until the next call."""
    refusing: set[str] = set()
    for one in sorted(waiting, key=lambda one: -one.time):
        for digest in to.keys() - refusing - set(one.heard):
            if delivered(to[digest], one):
                one.heard.append(digest)
            else:
                refusing.add(digest)
        one.sent = to.keys() <= set(one.heard)
        keep(store, one)
    for digest in refusing:
        told = f"{to[digest].url(privacy=True).partition('?')[0]} did not take an alert"
        logger.warning("%s: it is kept, and sent again with the next one", told)


def delivered(receiver: NotifyBase, one: Alert) -> bool:
    client = Apprise()
    client.add(receiver)
    return bool(client.notify(title=f"{one.kind}: {one.title}", body=one.text or one.title))


def receivers(settings: Settings) -> dict[str, NotifyBase]:
    """Who is told, by the digest of the URL; {} where PENSTOCK_ALERTS is not set. BadInput: a URL is none."""
    found: dict[str, NotifyBase] = {}
    for place, url in enumerate(urls(settings), start=1):
        receiver = Apprise.instantiate(url)
        if not isinstance(receiver, NotifyBase):
            raise BadInput(
                f"The URL number {place} of PENSTOCK_ALERTS is none that Apprise knows (it is not shown, since it may "
                "hold a password). Write it as https://github.com/caronc/apprise says."
            )
        found[sha256(url.encode())[:12]] = receiver
    return found


def urls(settings: Settings) -> list[str]:
    """The receivers as they were set; a comma within a URL is not taken for the end of it."""
    return list(parse_urls(settings.alerts.get_secret_value())) if settings.alerts else []
