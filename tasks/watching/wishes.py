"""A wish: what an alarm asks for, kept until it was acted on, since an event that only asks once can be lost."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Store, canonical
from tasks.errors import NotFound, Refused
from tasks.watching.brakes import Past
from tasks.watching.windows import Window


class Answer(BaseModel):
    """What a person said."""

    model_config = ConfigDict(frozen=True)

    yes: bool
    who: str
    note: str = ""
    when: float


class Outcome(BaseModel):
    """How the retraining ended: its version, and whether that became champion."""

    model_config = ConfigDict(frozen=True)

    version: int | None
    promoted: bool
    text: str
    when: float


class Wish(BaseModel):
    """To train a release anew, because `window` raised an alarm about `champion`."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    release: str
    number: int
    champion: int
    window: int
    why: str
    when: float
    answer: Answer | None = None
    outcome: Outcome | None = None

    def open(self, champion: int | None) -> bool:
        """Neither acted on nor declined, and still about the champion of today."""
        declined = self.answer is not None and not self.answer.yes
        return self.outcome is None and not declined and self.champion == champion


def wishes(store: Store, release: str) -> list[Wish]:
    """All wishes in order, with what became of them."""
    names = set(store.list(f"watch/{release}/wishes"))
    found = []
    for name in sorted(name for name in names if name.endswith("/made.json")):
        wish = Wish.model_validate_json(store.read(name))
        answer, outcome = _beside(wish, "answer"), _beside(wish, "outcome")
        found.append(
            wish.model_copy(
                update={
                    "answer": Answer.model_validate_json(store.read(answer)) if answer in names else None,
                    "outcome": Outcome.model_validate_json(store.read(outcome)) if outcome in names else None,
                }
            )
        )
    return found


def make(store: Store, wish: Wish) -> Wish:
    """Write a wish; of two writers of the same number the first one's stands."""
    store.create(_beside(wish, "made"), canonical(wish.model_dump(mode="json", exclude={"answer", "outcome"})))
    return find(store, wish.release, wish.number)


def find(store: Store, release: str, number: int) -> Wish:
    found = next((wish for wish in wishes(store, release) if wish.number == number), None)
    if found is None:
        raise NotFound(f"{release} has no wish {number}; `penstock watch {release}` shows what is open.")
    return found


def answer(store: Store, wish: Wish, said: Answer) -> Wish:
    """Keep what a person said. Refused where another answer was first."""
    store.create(_beside(wish, "answer"), canonical(said.model_dump(mode="json")))
    kept = find(store, wish.release, wish.number)
    if kept.answer is not None and kept.answer.yes != said.yes:
        told = "agreed to" if kept.answer.yes else "declined"
        raise Refused(f"Wish {wish.number} of {wish.release} was {told} by {kept.answer.who} already.")
    return kept


def end(store: Store, wish: Wish, outcome: Outcome) -> None:
    """Keep how the retraining ended; a second run of it finds the first one's word."""
    store.create(_beside(wish, "outcome"), canonical(outcome.model_dump(mode="json")))


def past(known: Sequence[Wish], windows: Sequence[Window], champion: int | None, of: int) -> list[Past]:
    """What the brakes look at: wishes that were acted on or declined, back to where a person chose the champion."""
    found: list[Past] = []
    for wish in reversed(known):
        ended, made = wish.outcome, False
        if ended is not None and ended.promoted and ended.version == champion:
            champion, made = wish.champion, True
        if wish.champion != champion:
            break
        if ended is not None:
            after = [window.alarm for window in windows if made and window.champion == ended.version][:of]
            found.append(Past(when=ended.when, trained=True, helped=made and not any(after)))
        elif wish.answer is not None and not wish.answer.yes:
            found.append(Past(when=wish.answer.when, trained=False))
    return found[::-1]


def _beside(wish: Wish, what: str) -> str:
    return f"watch/{wish.release}/wishes/{wish.number:06}/{what}.json"
