"""Short reviews, each praise or complaint: what a statement means turns round where it is denied."""

import csv
import io
import random

PARTS = ("hinge", "zip", "strap", "lid", "handle", "lamp", "wheel", "cable", "cover", "hook")
GOOD = ("hold fast", "close tightly", "run quietly", "stay dry", "keep its shape", "work at once")
BAD = ("break", "leak", "squeak", "bend", "come loose", "jam")
SO = (
    "I have often seen the {part} {does}.",
    "Everyone here has watched the {part} {does}.",
    "You can count on the {part} to {does}.",
    "As the shop told us, the {part} will {does}.",
)
NOT_SO = (
    "I have yet to see the {part} {does}.",
    "Nobody here has watched the {part} {does}.",
    "You can hardly count on the {part} to {does}.",
    "The shop was wrong: at no time did we find that the {part} would {does}.",
)
ASIDE = ("It came on a Tuesday.", "We own two of them.", "The box was brown.", "My sister has the blue one.")
DENIED, TWO, WRONG = 0.35, 0.4, 0.03  # shares: of denied statements, of reviews with a second one, of wrong labels


def reviews(count: int, seed: int) -> list[tuple[str, str]]:
    """Label and text."""
    dice = random.Random(seed)
    return [review(dice) for _ in range(count)]


def review(dice: random.Random) -> tuple[str, str]:
    praise = dice.random() < 0.5
    said = [statement(dice, praise) for _ in range(2 if dice.random() < TWO else 1)]
    said.insert(dice.randint(0, len(said)), dice.choice(ASIDE))
    return ("praise" if praise != (dice.random() < WRONG) else "complaint"), " ".join(said)


def statement(dice: random.Random, praise: bool) -> str:
    so = dice.random() >= DENIED
    does = dice.choice(GOOD if praise == so else BAD)
    return dice.choice(SO if so else NOT_SO).format(part=dice.choice(PARTS), does=does)


def as_csv(rows: list[tuple[str, str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([("label", "text"), *rows])
    return text.getvalue()
