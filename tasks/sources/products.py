"""Product records for a shop, the same for the same seed: what a good text is worth is known, so the ceiling is, too.

A rating is the worth of the text plus noise. Worth: what the statements say (a promise kept or broken, a fault there or
not, so that "not" turns it round), whether the title names the thing, shouting, filler, and a price far above the
usual one. Statements are worth what they mean, not what words they hold: counting words does not find it all."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist

BASE, NOISE = 3.5, 0.3  # the worth of a text that says nothing; standard deviation of a rating around its text's worth
SAID, NAMED, LOUD, FILLED, DEAR = 0.45, 0.3, 0.5, 0.4, 0.3  # what each is worth, or costs
LEAST, MOST = 2.0, 5.0  # of a rating
CHEAPEST, DEAREST = 10.0, 500.0
START = datetime(2026, 1, 1, 8)
PLANTED = 0.01  # share of rows with a fault, where faults are asked for

# noun: its usual price
THINGS: dict[str, dict[str, int]] = {
    "kitchen": {"kettle": 35, "frying pan": 40, "bread knife": 25, "coffee grinder": 60, "lunch box": 18},
    "outdoor": {"tent": 160, "sleeping bag": 90, "rucksack": 80, "head torch": 30, "water bottle": 20},
    "garden": {"watering can": 22, "wheelbarrow": 85, "hedge shears": 38, "hose reel": 55, "bird table": 45},
    "office": {"desk lamp": 42, "office chair": 190, "paper shredder": 75, "notebook": 12, "monitor stand": 48},
    "clothing": {"rain jacket": 95, "wool jumper": 70, "walking boots": 120, "scarf": 25, "work gloves": 16},
    "toys": {"wooden train": 35, "kite": 20, "puzzle": 15, "toy crane": 45, "board game": 32},
    "audio": {"headphones": 85, "loudspeaker": 140, "record player": 210, "microphone": 110, "radio": 55},
    "pets": {"dog bed": 50, "cat tree": 75, "bird cage": 90, "dog lead": 18, "feeding bowl": 14},
}
# what is good, or bad, where it is true of a thing
GOOD = (
    "stand up to heavy rain",
    "last for years of daily use",
    "fit into a small cupboard",
    "come clean in under a minute",
    "carry its full load safely",
    "arrive ready to use",
    "open for repairs with one screwdriver",
    "find a buyer again after years",
)
BAD = (
    "break at the first fall",
    "smell of plastic",
    "rust within a month",
    "scratch the floor",
    "lose its colour in the sun",
    "need special batteries",
    "leak when it is tilted",
    "wobble on its feet",
)
YES = (
    "Our testers agree that it will {}.",
    "We have seen for ourselves that it will {}.",
    "Every buyer so far has told us that it will {}.",
    "There is little doubt that it will {}.",
)
NO = (
    "Our testers do not agree that it will {}.",
    "We have yet to see that it will {}.",
    "No buyer so far has told us that it will {}.",
    "There is little reason to fear or hope that it will {}.",
)
PLAIN = ("Weight and size are on the label.", "It comes in three colours.", "Sold singly.", "Made in small series.")
FILLER = (
    "A true must-have!",
    "Simply amazing quality.",
    "The best ever, trust us.",
    "You will love it, everybody does.",
)
VAGUE = ("premium solution", "lifestyle item", "smart thing", "all-round product")
KINDS = ("classic", "folding", "small", "large", "light", "sturdy", "green", "blue")


@dataclass(frozen=True)
class Product:
    """One record; `worth` is the rating that its text would get on average, which no client sees."""

    id: str
    title: str
    category: str
    description: str
    price: float
    rating: float
    timestamp: str
    worth: float

    def record(self) -> dict[str, str | float]:
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS = ("id", "title", "category", "description", "price", "rating", "timestamp")


def products(count: int = 50, seed: int = 0) -> Iterator[Product]:
    """So many records; a longer list starts with the shorter one of the same seed."""
    for number in range(count):
        yield product(number, seed)


def product(number: int, seed: int) -> Product:
    draw = random.Random(f"{seed}/{number}")
    category = draw.choice([*THINGS])
    noun, usual = draw.choice([*THINGS[category].items()])
    named, loud, dear = draw.random() < 0.75, draw.random() < 0.15, draw.random() < 0.2
    title = f"{draw.choice(KINDS)} {noun if named else draw.choice(VAGUE)}"
    statements, said = told(draw)
    fillers = draw.sample(FILLER, draw.choice((0, 0, 0, 1, 2)))
    sentences = [*statements, *fillers, draw.choice(PLAIN)]
    draw.shuffle(sentences)
    price = usual * (draw.uniform(2.2, 3.0) if dear else draw.uniform(0.6, 1.3))
    worth = BASE + SAID * said + NAMED * (1 if named else -1) - LOUD * loud - FILLED * len(fillers) - DEAR * dear
    rating = min(MOST, max(LEAST, worth + draw.gauss(0, NOISE)))
    text = " ".join(sentences)
    return Product(
        id=f"p{seed}-{number:06}",
        title=title.upper() + "!!!" if loud else title.capitalize(),
        category=category,
        description=text.upper().replace(".", "!!!") if loud else text,
        price=round(min(DEAREST, max(CHEAPEST, price)), 2),
        rating=round(rating, 1),
        timestamp=(START + timedelta(minutes=7 * number)).isoformat(),
        worth=worth,
    )


def told(draw: random.Random) -> tuple[list[str], int]:
    """Statements about a thing, and how many speak for it less those that speak against it."""
    sentences, worth = [], 0
    for what in draw.sample([*GOOD, *BAD], draw.choice((2, 3, 3, 4))):
        true = draw.random() < 0.85
        sentences.append(draw.choice(YES if true else NO).format(what))
        worth += 1 if (what in GOOD) == true else -1
    return sentences, worth


def chance(worth: float, threshold: float) -> float:
    """That the rating of such a text, which has one decimal, reaches the threshold: what no model can know better."""
    return 1 - NormalDist(worth, NOISE).cdf(threshold - 0.05)


FAULTS: tuple[Callable[[dict[str, str]], None], ...] = (
    lambda row: row.update(description=""),
    lambda row: row.update(rating="9.9"),
    lambda row: row.update(price="-1"),
    lambda row: row.update(category="kitchn"),
    lambda row: row.update(title="  "),
)


def rows(count: int, seed: int) -> list[dict[str, str]]:
    """The records as an export would hold them: all text, `PLANTED` of them faulty."""
    found = [{name: str(value) for name, value in one.record().items()} for one in products(count, seed)]
    for place, number in enumerate(random.Random(seed).sample(range(count), round(PLANTED * count))):
        FAULTS[place % len(FAULTS)](found[number])
    return found
