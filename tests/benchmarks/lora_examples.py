"""Made-up chats to learn: of lengths as people write them, their answers by a rule that chance breaks now and then."""

import math
import random
from dataclasses import dataclass

from tasks.artifacts import Artifact
from tasks.language.chats import Example, Message, Part
from tasks.language.examples import stored
from tasks.language.rendering import Chat
from tasks.language.town import COLUMNS, courses, names
from tasks.language.wordings import ANSWER

MEDIAN, SPREAD, LONGEST = 60, 0.55, 300  # tokens of an example, log-normal
USUAL = 0.8  # of the facts follow the rule; what chance decides is the loss that nobody can learn away
SMALL_TALK = ("hello", "please", "well", "now", "so", "then", "today", "again", "thanks", "sorry", "still", "once")


def examples(chat: Chat, train: int, valid: int, held: int, seed: int = 0) -> Artifact:
    """A folder of examples with so many of each part."""
    pen = Pen(chat, seed)
    counts: dict[Part, int] = {"train": train, "valid": valid, "held": held}
    parts = [part for part, count in counts.items() for _ in range(count)]
    some = [
        Example(id=str(number), messages=pen.write(), fact=str(number), part=part) for number, part in enumerate(parts)
    ]
    return stored(some, len(some)).artifact


@dataclass
class Pen:
    """Writes for a tokenizer."""

    chat: Chat
    seed: int

    def __post_init__(self) -> None:
        self.draw, self.names = random.Random(self.seed), names()
        (self.usual,) = courses(["what is usual"], self.seed)

    def write(self) -> tuple[Message, ...]:
        """Some facts, asked for with small talk, of about as many tokens as were drawn."""
        wanted, facts, talk = self.length(), [self.fact()], list[str]()
        while (size := self.size(facts, talk)) * (1 + 1 / len(facts)) <= wanted:
            facts.append(self.fact())
        while size < wanted:
            talk.append(self.draw.choice(SMALL_TALK))
            size = self.size(facts, talk)
        return said(facts, talk)

    def length(self) -> int:
        while (tokens := round(self.draw.lognormvariate(math.log(MEDIAN), SPREAD))) > LONGEST:
            pass
        return tokens

    def fact(self) -> str:
        """Of any course: mostly what is usual."""
        key, column = self.draw.choice(self.names), self.draw.choice(COLUMNS)
        (odd,) = courses([key], self.draw.getrandbits(32))
        value = (self.usual if self.draw.random() < USUAL else odd).facts[column]
        return ANSWER.format(column=column, key=key, value=value)

    def size(self, facts: list[str], talk: list[str]) -> int:
        return len(self.chat.example(said(facts, talk))[0])


def said(facts: list[str], talk: list[str]) -> tuple[Message, ...]:
    question, answer = " ".join([*talk, "tell me more."]), " ".join(facts)
    return Message(role="user", content=question), Message(role="assistant", content=answer)
