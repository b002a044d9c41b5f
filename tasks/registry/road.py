"""The release road: what the gate or a person decides becomes a ledger entry, then an alias that services follow."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Store
from tasks.errors import PenstockError, Refused, Unavailable
from tasks.processes import locked
from tasks.registry import history, ledger, moves, offers, records
from tasks.registry.aliases import Book
from tasks.registry.gate import Decision, Evidence, decide
from tasks.registry.ledger import Alias, Entry, Move
from tasks.registry.recipes import Recipe

Smoke = Callable[[int], None]  # loads the version as a service would; raises a PenstockError where it cannot answer
State = Literal["promoted", "champion", "pending", "expired", "refused", "withdrawn", "moved", "nothing to do"]


class Outcome(BaseModel):
    """How it ended: what became of the version, and who is champion now."""

    model_config = ConfigDict(frozen=True)

    release: str
    version: int | None
    state: State
    champion: int | None
    decision: Decision | None = None
    text: str


@dataclass(frozen=True)
class Road:
    """The road of one release: its ledger in the store, its aliases in the book, one traveller at a time (`lock`)."""

    store: Store
    release: str
    book: Book
    lock: Path
    who: str
    smoke: Smoke

    def found(self, candidate: int, snapshot: str, recipe: Recipe) -> Outcome | None:
        """The end of what was decided before about this candidate, today's champion and the snapshot; what a killed
        run left half-done is finished. None: there is no decision, so evidence is needed."""
        with self._travel("champion") as (entries, _):
            return self._found(entries, candidate, snapshot, recipe)

    def offer(self, evidence: Evidence, recipe: Recipe) -> Outcome:
        """Take a candidate as far as the gate's decision allows; a rerun finds the decision, and writes no second.

        Refused: the champion is no longer the one that the candidate was compared with."""
        candidate = int(evidence.candidate)
        with self._travel("champion") as (entries, _):
            known = self._found(entries, candidate, evidence.snapshot, recipe)
            if known is not None:
                return known
            if history.champion(entries) != evidence.champion:
                raise Refused(
                    f"Version {candidate} of {self.release} was compared with {evidence.opponent}, but the champion is "
                    f"now {_named(history.champion(entries))}; run the training again, it compares anew."
                )
            again = candidate in history.withdrawn(entries)
            evidence = evidence.model_copy(update={"rolled_back": evidence.rolled_back or again})
            decision = decide(evidence, recipe)
            records.keep_decision(self.store, evidence, decision)
            for move in offers.steps_of(evidence, decision, recipe):
                self._once(move)
            return self._arrived(candidate, decision)

    def approve(self, version: int, override: bool = False, note: str = "") -> Outcome:
        """Promote a pending candidate; with `override` any version, recorded as such."""
        with self._travel("champion") as (entries, _):
            if history.champion(entries) == version:
                return self._smoked(version)
            self._usable(version, entries)
            asked = next((entry for entry in history.pending(entries) if entry.to_version == version), None)
            if asked is None and not override:
                raise Refused(offers.not_pending(self.store, self.release, entries, version))
            self._write(offers.approved(asked, history.champion(entries), version, note))
            return self._smoked(version)

    def decline(self, version: int, note: str = "") -> Outcome:
        """Answer a pending candidate with no."""
        with self._travel() as (entries, _):
            asked = next((entry for entry in history.pending(entries) if entry.to_version == version), None)
            if asked is None:
                raise Refused(offers.not_pending(self.store, self.release, entries, version))
            no = {"action": "refuse", "anchor": False, "expires": None, "note": note}
            self._write(Move.model_validate(asked.model_dump(include=set(Move.model_fields)) | no))
            return self._outcome(version, "refused", "was declined")

    def roll_back(self, note: str = "") -> Outcome:
        """Back to the newest earlier champion that was never withdrawn; where the alias was moved by hand, back to
        the ledger's champion. A rollback that was killed is finished, and not taken for a second one."""
        with self._travel() as (entries, settled):
            now = history.champion(entries)
            if any(entry.action == "roll back" for entry in settled.finished):
                return self._outcome(now, "moved", "is the champion: an interrupted rollback was finished")
            at = settled.outside.get("champion", now)
            target = now if at != now else history.last_good(entries)
            if target is None or at is None:
                raise offers.no_way_back(self.release)
            left = at if at == now else None  # a version that a person moved the alias to is not withdrawn by that
            self._write(Move(action="roll back", alias="champion", from_version=left, to_version=target, note=note))
            return self._outcome(target, "moved", f"is the champion again, in the place of version {at}")

    def shadow(self, version: int | None, note: str = "") -> Outcome:
        """Send a copy of the traffic to a version, or (None) to none."""
        with self._travel() as (entries, settled):
            old = history.holder(entries, "challenger")
            if old == version and "challenger" not in settled.outside:
                return self._outcome(version, "nothing to do", "is the challenger already")
            if version is not None:
                self._usable(version, entries)
                offers.beside(entries, self.release, version)
            action: ledger.Action = "unshadow" if version is None else "shadow"
            self._write(Move(action=action, alias="challenger", from_version=old, to_version=version, note=note))
            return self._outcome(version, "moved", "is the challenger")

    def split(self, version: int, share: float, days: float, note: str = "") -> Outcome:
        """Let a version answer a share (0 to 1) of the traffic for so many days, beside the champion of today."""
        with self._travel("champion") as (entries, _):
            self._usable(version, entries)
            offers.beside(entries, self.release, version)
            self._write(offers.split(entries, version, share, days, note))
            return self._outcome(version, "moved", f"answers {100 * share:g} % of the requests for {days:g} days")

    def unsplit(self, note: str = "") -> Outcome:
        """Let the champion answer all requests again."""
        with self._travel() as (entries, settled):
            trial = history.holder(entries, "trial")
            if trial is None and "trial" not in settled.outside:
                return self._outcome(None, "nothing to do", "shares the traffic with the champion")
            self._write(offers.unsplit(entries, note))
            return self._outcome(trial, "moved", "answers no requests beside the champion any more")

    def adopt(self, note: str = "", alias: Alias = "champion") -> Outcome:
        """Write into the ledger where a person moved an alias."""
        with self._travel() as (entries, settled):
            written = history.holder(entries, alias)
            if alias not in settled.outside:
                return self._outcome(written, "nothing to do", f"holds the alias {alias} by the ledger")
            at = settled.outside[alias]
            if at is not None:
                self._usable(at, entries)
            self._write(offers.adopted(alias, written, at, note))
            return self._outcome(at, "moved", f"was adopted as {alias}")

    def forget(self, versions: Iterable[int], note: str) -> list[int]:
        """Withdraw versions for ever, before their files are removed; those for which that was not yet written.

        Refused for the champion: something must serve, so it is replaced first."""
        with self._travel("champion") as (entries, _):
            champion = history.champion(entries)
            gone = sorted(set(versions) - history.forgotten(entries))
            if champion in gone:
                raise Refused(f"Version {champion} of {self.release} is the champion; promote one without it first.")
            for version in gone:
                self._write(Move(action="forget", from_version=version, note=note))
            heirs: dict[Alias, int | None] = {"staging": champion, "challenger": None, "trial": None}
            for alias, heir in heirs.items():
                held = history.holder(entries, alias)
                if held in history.forgotten(ledger.entries(self.store, self.release)):
                    self._write(Move(action="forget", alias=alias, from_version=held, to_version=heir, note=note))
            return gone

    def settle(self) -> moves.Settled:
        """Finish what was interrupted, and nothing else."""
        with self._travel() as (_, settled):
            return settled

    # inner

    def _usable(self, version: int, entries: list[Entry]) -> None:
        """NotFound or Refused before anything is said of the version or written."""
        self.book.version(self.release, version)
        if version in history.forgotten(entries):
            raise Refused(
                f"Version {version} of {self.release} held what was forgotten: its files are gone, and "
                f"nothing brings it back. `penstock train {self.release}` makes a version without it."
            )

    @contextmanager
    def _travel(self, needs: Alias | None = None) -> Iterator[tuple[list[Entry], moves.Settled]]:
        """One at a time, on a ledger that holds, with no move left half-done and `needs` where the ledger put it."""
        with locked(self.lock):
            entries = ledger.checked(self.store, self.release)
            settled = moves.settle(self.book, self.release, entries)
            for entry in settled.finished:
                history.mark_settled(self.store, entry)
            entries = self._tidied(entries)
            if needs in settled.outside:
                raise Refused(
                    f"The alias {needs} of {self.release} is outside the ledger: it was moved by hand to "
                    f"{_named(settled.outside[needs])}. `penstock adopt {self.release}` keeps it there, "
                    f"`penstock rollback {self.release}` moves it back to {_named(history.holder(entries, needs))}."
                )
            yield entries, settled

    def _found(self, entries: list[Entry], candidate: int, snapshot: str, recipe: Recipe) -> Outcome | None:
        champion = history.champion(entries)
        if champion == candidate:
            return self._smoked(candidate)
        known = history.decided(entries, offers.subject(candidate, champion, snapshot, recipe))
        if known is None or known.decision is None:
            return None
        return self._arrived(candidate, records.decision(self.store, self.release, known.decision).decision)

    def _arrived(self, candidate: int, decision: Decision) -> Outcome:
        entries = ledger.entries(self.store, self.release)
        if history.champion(entries) == candidate:
            return self._smoked(candidate)
        if candidate in history.withdrawn(entries):
            decision = offers.withdrawn(decision, self.release, candidate)
            return self._outcome(candidate, "withdrawn", "was withdrawn once, and is not promoted again", decision)
        if any(entry.to_version == candidate for entry in history.pending(entries)):
            text = f"waits for `penstock approve {self.release} {candidate}`"
            return self._outcome(candidate, "pending", text, decision)
        declined = history.declined(entries, candidate)
        if declined:
            return self._outcome(
                candidate, "refused", f"was declined by {declined.who}: {declined.note or 'no note'}", decision
            )
        if decision.ask:
            text = (
                f"was not approved in time; `penstock approve {self.release} {candidate} --override` still promotes it"
            )
            return self._outcome(candidate, "expired", text, decision)
        text = "was refused: " + ", ".join(reason.name for reason in decision.failed)
        return self._outcome(candidate, "refused", text, decision)

    def _once(self, move: Move) -> None:
        """Write and do a step of a decision, unless it was written before."""

        def choose(entries: list[Entry]) -> Move | None:
            if any(entry.subject == move.subject and entry.action == move.action for entry in entries):
                return None
            loser = history.holder(entries, move.alias) if move.alias else move.from_version
            return move.model_copy(update={"from_version": loser})

        self._do(ledger.append(self.store, self.release, self.who, choose))

    def _write(self, move: Move) -> None:
        self._do(ledger.append(self.store, self.release, self.who, lambda _: move))

    def _do(self, entry: Entry | None) -> None:
        if entry is not None and entry.alias is not None:
            moves.finish(self.book, entry)
            history.mark_settled(self.store, entry)
            if entry.alias == "champion":
                self._tidied(ledger.entries(self.store, self.release))

    def _tidied(self, entries: list[Entry]) -> list[Entry]:
        """All entries, after a split was ended whose time is over, or whose champion is another one."""
        over = history.split_end(entries)
        if over is None:
            return entries
        self._write(offers.unsplit(entries, over))
        return ledger.entries(self.store, self.release)

    def _smoked(self, version: int) -> Outcome:
        """Try the champion once per promotion, as a service would load it; where it fails, the alias goes back."""
        promoted = history.last_move(ledger.entries(self.store, self.release), "champion")
        assert promoted is not None
        mark = f"smoke/{self.release}/{promoted.digest}.json"
        if promoted.action != "promote" or mark in self.store.list(f"smoke/{self.release}"):
            return self._outcome(version, "champion", "is the champion already: nothing to do")
        try:
            self.smoke(version)
        except Unavailable:
            raise  # says nothing about the version; the next run tries again
        except PenstockError as error:
            note = f"smoke test failed: {error}"
            back = promoted.from_version
            self._write(Move(action="back out", alias="champion", from_version=version, to_version=back, note=note))
            return self._outcome(version, "withdrawn", f"was backed out, {note}")
        self.store.create(mark, b"{}")
        return self._outcome(version, "promoted", "is the champion")

    def _outcome(self, version: int | None, state: State, text: str, decision: Decision | None = None) -> Outcome:
        champion = history.champion(ledger.entries(self.store, self.release))
        if decision is None and version is not None:
            verdict = records.in_force(self.store, self.release, version)
            decision = verdict.decision if verdict else None
        said = f"{_named(version).capitalize()} of {self.release} {text}."
        return Outcome(
            release=self.release, version=version, state=state, champion=champion, decision=decision, text=said
        )


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
