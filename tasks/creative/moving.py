"""What moved a score: each run of words is left out in turn, and the score asked again (occlusion, Zeiler & Fergus
2014)."""

import re

from pydantic import BaseModel, ConfigDict

from tasks.creative.classifier import Classifier

MOST = 12  # runs that are left out: each costs a prediction
SHOWN = 5
WORD = re.compile(r"\S+")
END = (".", "!", "?", ":", ";")


class Moved(BaseModel):
    """`effect`: by how much the words raise the probability, or lower it, where they stand."""

    model_config = ConfigDict(frozen=True)

    words: str
    effect: float


def moved(classifier: Classifier, text: str, probability: float) -> list[Moved]:
    """Those with the largest effect first; `probability` is that of the whole text."""
    found = runs(text)
    if len(found) < 2:
        return []
    rest = [f"{text[:start]}{text[end:]}" for start, end in found]
    effects = probability - classifier.probabilities(rest)
    order = sorted(range(len(found)), key=lambda place: -abs(effects[place]))[:SHOWN]
    return [Moved(words=text[slice(*found[place])], effect=round(float(effects[place]), 4)) for place in order]


def runs(text: str) -> list[tuple[int, int]]:
    """Runs of neighbouring words, as places in the text: sentences, the longest halved as long as there is room."""
    found: list[list[tuple[int, int]]] = [[]]
    for match in WORD.finditer(text):
        found[-1].append(match.span())
        if match[0].endswith(END):
            found.append([])
    found = [run for run in found if run]
    while len(found) > MOST:  # more sentences than room: neighbours go together
        found = [[*one, *(found[place + 1] if place + 1 < len(found) else [])] for place, one in enumerate(found)][::2]
    while len(found) < MOST and (longest := max(found, key=len, default=[])) and len(longest) > 1:
        place = found.index(longest)
        found[place : place + 1] = [longest[: len(longest) // 2], longest[len(longest) // 2 :]]
    return [(run[0][0], run[-1][1]) for run in found]
