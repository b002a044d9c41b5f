"""Alerts about releases: each kind arrives once; what a receiver refuses is kept, and arrives later."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import alerting, incidents
from flows.alerting import QUIET_S, alert, kept, send_waiting
from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.registry.ledger import Move, append
from tasks.registry.road import Outcome
from tasks.settings import Settings, load, origins
from tasks.watching.replicas import Heartbeat
from tests.receivers import Receiver, mailbox, receiving


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as told:
        monkeypatch.setenv("PENSTOCK_ALERTS", told.url)
        yield told


@pytest.fixture
def settings(receiver: Receiver) -> Settings:
    return load()


def store_of(settings: Settings) -> Store:
    return Store(settings.store)


def test_a_receiver_gets_what_where_and_what_to_do(settings: Settings, receiver: Receiver) -> None:
    assert alert("drift", "loans", "loans, window 3", "Columns: income. `penstock drift loans`.", settings)
    (told,) = receiver.taken
    assert told["title"] == "drift: loans, window 3"
    assert told["message"] == "Columns: income. `penstock drift loans`."
    (one,) = kept(store_of(settings))
    assert one.sent
    assert receiver.url not in json.dumps(one.model_dump()), "the store keeps no URL, which may hold a password"


def test_the_same_alert_is_quiet_for_a_while(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = alerting.time.time()
    for later, release, new in [
        (0, "loans", True),
        (60, "loans", False),
        (60, "papers", True),
        (QUIET_S, "loans", True),
    ]:
        monkeypatch.setattr(alerting.time, "time", lambda later=later: clock + later)
        assert alert("drift", release, "drift", "", settings) == new
    assert len(receiver.taken) == 3


def test_what_happens_once_is_told_once(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = alerting.time.time()
    assert alert("back-out", "loans", "version 3", "", settings)
    monkeypatch.setattr(alerting.time, "time", lambda: clock + 5 * QUIET_S)
    assert not alert("back-out", "loans", "version 3", "", settings)
    assert alert("back-out", "loans", "version 4", "", settings)
    assert len(receiver.taken) == 2


def test_what_was_refused_is_kept_and_comes_with_the_next(
    settings: Settings, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.refusing = True
    with caplog.at_level(logging.WARNING, logger="penstock"):
        alert("drift", "loans", "first", "", settings)
        alert("drift", "loans", "second", "", settings)
    assert "did not take an alert: it is kept" in caplog.text
    assert [one.sent for one in kept(store_of(settings))] == [False, False]
    receiver.refusing = False
    alert("drift", "papers", "third", "", settings)
    assert sorted(receiver.titles) == ["drift: first", "drift: second", "drift: third"]
    send_waiting(settings)
    assert len(receiver.taken) == 3


def test_a_receiver_that_took_it_is_not_told_again_for_another_that_did_not(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as other:
        other.refusing = True
        monkeypatch.setenv("PENSTOCK_ALERTS", f"{receiver.url},{other.url}")
        alert("drift", "loans", "drift", "", load())
        other.refusing = False
        send_waiting(load())
        send_waiting(load())
        assert (len(receiver.taken), len(other.taken)) == (1, 1)


def test_a_mended_url_gets_what_waited(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    good = receiver.url
    for wrong in ("json://127.0.0.1:9/", "no such thing"):
        monkeypatch.setenv("PENSTOCK_ALERTS", wrong)
        alert("drift", "loans", wrong, "", load())
    monkeypatch.setenv("PENSTOCK_ALERTS", good)
    send_waiting(load())
    assert len(receiver.taken) == 2


def test_without_receivers_it_is_kept_and_not_sent_years_later(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENSTOCK_ALERTS")
    assert alert("drift", "loans", "drift", "", load())
    monkeypatch.setenv("PENSTOCK_ALERTS", receiver.url)
    send_waiting(load())
    assert receiver.taken == []
    assert [one.title for one in kept(store_of(settings))] == ["drift"]


def test_old_alerts_go_and_a_torn_one_stops_nothing(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert("drift", "loans", "old", "", settings)
    store_of(settings).write("alerts/loans/1-torn.json", b"{")
    clock = alerting.time.time()
    monkeypatch.setattr(alerting.time, "time", lambda: clock + alerting.KEPT_S + 1)
    alert("drift", "loans", "new", "", settings)
    assert [one.title for one in kept(store_of(settings))] == ["new"]


def test_a_letter_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    with mailbox() as (url, letters):
        monkeypatch.setenv("PENSTOCK_ALERTS", url)
        alert("drift", "loans", "loans, window 3", "Columns: income.", load())
    (letter,) = letters
    assert "Subject: drift: loans, window 3" in letter
    assert "Columns: income." in letter


def test_an_unknown_url_is_named_by_its_place_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_ALERTS", "json://127.0.0.1:9/,slick://secret-token/")
    with pytest.raises(BadInput, match="URL number 2 of PENSTOCK_ALERTS") as error:
        alerting.receivers(load())
    assert "secret" not in str(error.value)
    assert "secret" not in str(origins(load())["alerts"])


def test_commas_within_an_address_do_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["mailto://localhost?to=a@example.org,b@example.org", "json://127.0.0.1:9/"]
    monkeypatch.setenv("PENSTOCK_ALERTS", ",".join(both))
    assert alerting.urls(load()) == both


# what is told of releases


def refused(state: str, version: int = 2) -> Outcome:
    told = {
        "release": "loans",
        "version": version,
        "state": state,
        "champion": 1,
        "text": f"Version {version}: {state}.",
    }
    return Outcome.model_validate(told)


def test_a_refusal_and_a_back_out_are_told_and_a_promotion_is_not(settings: Settings, receiver: Receiver) -> None:
    back = Move(action="back out", alias="champion", from_version=3, to_version=1)
    append(store_of(settings), "loans", "bob", lambda _: back)
    for one in (refused("promoted", 1), refused("refused", 2), refused("refused", 2), refused("withdrawn", 3)):
        incidents.tell_outcome(one, settings)
    assert receiver.titles == ["refused promotion: version 2 of loans", "back-out: version 3 of loans"]
    assert "`penstock report loans 2`" in receiver.taken[0]["message"]
    assert "`penstock train loans`" in receiver.taken[1]["message"]


def test_an_alias_moved_by_hand_is_told_with_both_places(settings: Settings, receiver: Receiver) -> None:
    store = store_of(settings)
    append(store, "loans", "bob", lambda _: Move(action="promote", alias="champion", to_version=1))
    incidents.tell_aliases("loans", {"champion": 7}, incidents.ledger.entries(store, "loans"), settings)
    (told,) = receiver.taken
    assert told["title"] == "alias outside the ledger: champion of loans is at version 7"
    assert "is at version 1" in told["message"]
    assert "`penstock adopt loans` keeps it there, `penstock rollback loans`" in told["message"]


def test_each_silence_of_a_service_is_told_once(settings: Settings, receiver: Receiver, tmp_path: Path) -> None:
    now = alerting.time.time()
    well, dead = (
        Heartbeat(name, "loans", "1", f"http://127.0.0.1/{name}", now - age, 1) for name, age in (("a", 5), ("b", 500))
    )
    for _ in range(2):
        incidents.tell_services([well, dead], settings)
    (told,) = receiver.taken
    assert told["title"].startswith("silent service: loans at http://127.0.0.1/b, since 20")
    again = Heartbeat("b", "loans", "1", dead.url, now - 300, 2)
    incidents.tell_services([again], settings)
    assert len(receiver.taken) == 2
