"""Courses of a made-up university, drawn by a seed: the language that the tiny base learns, with facts of its own.

The catalogue in the box speaks of other courses (`data/samples/course-catalogue`), in the same words."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

FIELDS = (
    "Acoustics", "Botany", "Cartography", "Dialects", "Ecology", "Forestry", "Geology", "Heraldry", "Hydrology",
    "Insects", "Justice", "Kinetics", "Lighting", "Masonry",
)  # fmt: skip
SIDES = ("Alpine", "Baltic", "Coastal", "Digital", "Early", "Formal", "Global", "Hidden", "Inner", "Joint")
TEACHERS = (
    "Dr. Abel", "Dr. Bruun", "Dr. Castell", "Dr. Drewe", "Dr. Ekdal", "Dr. Fabre", "Dr. Goll", "Dr. Hirsch",
    "Dr. Ivers", "Dr. Jansen", "Dr. Keller", "Dr. Lind",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
HOURS = ("8:00", "10:00", "12:00", "14:00", "16:00")
EXAMS = ("written", "oral", "project", "take-home", "report")
LANGUAGES = ("English", "German", "French", "Danish")
MONTHS = ("January", "February", "March", "April", "May", "June")
STARTS = (
    "Who invented", "How old is", "Where can I buy", "What is the price of", "When did people first see",
    "Which country has the most", "How do you repair", "Why do birds fear", "How heavy is", "What is the name of",
    "Who wrote the book about", "How long does it take to cook",
)  # fmt: skip
THINGS = (
    "the paper clip", "a blue whale", "umbrellas", "the oldest bridge", "a cello", "lemon soup", "the moon of Mars",
    "wild horses", "a bicycle chain", "the Gulf Stream", "thunder", "the tallest clock tower", "goat cheese",
    "a silver spoon", "the north wind", "sleeping cats", "a kite", "snow in summer",
)  # fmt: skip
COLUMNS = ("teacher", "room", "time", "exam", "workload", "language", "deadline")


@dataclass(frozen=True)
class Course:
    name: str
    facts: dict[str, str]


def names() -> list[str]:
    """Every course that there could be, in an order without pattern."""
    found = [f"{side} {field}" for side in SIDES for field in FIELDS]
    random.Random(0).shuffle(found)
    return found


def courses(some: list[str], seed: int) -> Iterator[Course]:
    """The courses with facts drawn for each."""
    draw = random.Random(seed)
    for name in some:
        facts = {
            "teacher": draw.choice(TEACHERS),
            "room": f"{draw.choice('ABCDEFGH')}{draw.randint(1, 9)}",
            "time": f"{draw.choice(DAYS)} {draw.choice(HOURS)}",
            "exam": draw.choice(EXAMS),
            "workload": f"{draw.choice((2, 3, 4, 5, 6, 8, 10))} credits",
            "language": draw.choice(LANGUAGES),
            "deadline": f"{draw.randint(1, 28)} {draw.choice(MONTHS)}",
        }
        yield Course(name, {column: facts[column] for column in COLUMNS})


def strange(count: int, seed: int) -> list[str]:
    """Questions that no catalogue answers."""
    found = [f"{start} {thing}?" for start in STARTS for thing in THINGS]
    random.Random(seed).shuffle(found)
    return found[:count]
