"""What a decision writes into the ledger, and what is said where nothing may be written."""

from datetime import UTC, datetime, timedelta

from tasks.artifacts import Store, canonical, sha256
from tasks.errors import Refused
from tasks.registry import history, records
from tasks.registry.gate import Decision, Evidence, rolled_back_check
from tasks.registry.ledger import Alias, Entry, Move
from tasks.registry.recipes import Recipe


def subject(candidate: int, champion: int | None, snapshot: str, recipe: Recipe) -> str:
    """What a decision is about: there is one per candidate, champion, snapshot and the recipe's rules."""
    rules = recipe.model_dump(mode="json", include=set(recipe.rules))
    against = "baseline" if champion is None else f"version {champion}"
    return f"version {candidate} against {against} on {snapshot} by rules {sha256(canonical(rules))[:8]}"


def steps_of(evidence: Evidence, decision: Decision, recipe: Recipe) -> list[Move]:
    """Refuse; or stage and promote; or stage and ask."""
    candidate, failed = int(evidence.candidate), ", ".join(reason.name for reason in decision.failed)
    common = Move(
        action="refuse",
        from_version=evidence.champion,
        to_version=candidate,
        decision=decision.digest,
        subject=subject(candidate, evidence.champion, evidence.snapshot, recipe),
        note=f"{decision.verdict}; fails: {failed}" if failed else decision.verdict,
    )
    if not decision.promote and not decision.ask:
        return [common]
    stage = common.model_copy(update={"action": "stage", "alias": "staging"})
    if decision.promote:
        return [stage, common.model_copy(update={"action": "promote", "alias": "champion", "anchor": decision.raises})]
    expires = (datetime.now(UTC) + timedelta(days=recipe.approval_days)).isoformat(timespec="seconds")
    return [stage, common.model_copy(update={"action": "ask", "anchor": decision.raises, "expires": expires})]


def approved(asked: Entry | None, champion: int | None, version: int, note: str) -> Move:
    """A promotion by a person: of what was asked about, or against the gate."""
    return Move(
        action="promote",
        alias="champion",
        from_version=champion,
        to_version=version,
        decision=asked.decision if asked else None,
        subject=asked.subject if asked else None,
        anchor=asked.anchor if asked else True,
        override=asked is None,
        note=note,
    )


def adopted(alias: Alias, written: int | None, at: int | None, note: str) -> Move:
    """The move of an alias that a person made by hand, as the ledger takes it over."""
    facts = {"alias": alias, "from_version": written, "to_version": at, "note": note}
    return Move.model_validate(facts | {"action": "adopt", "anchor": True, "override": True})


def split(entries: list[Entry], version: int, share: float, days: float, note: str) -> Move:
    """A share of the traffic for a version, for a time."""
    until = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    facts = {"from_version": history.holder(entries, "trial"), "to_version": version, "note": note}
    terms = {"subject": str(history.champion(entries)), "share": share, "expires": until}
    return Move.model_validate(facts | terms | {"action": "split", "alias": "trial"})


def unsplit(entries: list[Entry], note: str) -> Move:
    return Move(action="unsplit", alias="trial", from_version=history.holder(entries, "trial"), note=note)


def beside(entries: list[Entry], release: str, version: int) -> None:
    """Refused where there is no other version that answers, with which this one could be compared."""
    champion = history.champion(entries)
    if champion is None:
        raise Refused(f"{release} has no champion yet, with which version {version} could be compared; promote one.")
    if version == champion:
        raise Refused(
            f"Version {version} of {release} is the champion: it answers all requests already, and has nothing to be "
            "compared with. Name another version, as `penstock history` lists them."
        )


def withdrawn(decision: Decision, release: str, candidate: int) -> Decision:
    """The decision as it stands for a version that was rolled back or backed out since."""
    reasons = [*(reason for reason in decision.reasons if reason.name != "rolled back")]
    check = rolled_back_check(release, candidate)
    return decision.model_copy(update={"promote": False, "ask": False, "reasons": [*reasons, check]})


def no_way_back(release: str) -> Refused:
    return Refused(
        f"{release} has no earlier champion that was never withdrawn; nothing was changed. "
        f"`penstock history {release}` lists its versions, and "
        f"`penstock approve {release} VERSION --override` promotes any that was not forgotten."
    )


def not_pending(store: Store, release: str, entries: list[Entry], version: int) -> str:
    waiting = ", ".join(str(entry.to_version) for entry in history.pending(entries)) or "none"
    said = records.in_force(store, release, version)
    why = " ".join(reason.text for reason in said.decision.failed) if said else "There is no decision about it."
    return (
        f"Version {version} of {release} is not pending (pending: {waiting}). {why} "
        f"To promote it all the same: `penstock approve {release} {version} --override`."
    )
