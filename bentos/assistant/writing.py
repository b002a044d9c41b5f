"""The answers to one request under way: from the engine's threads into the event loop, within limits."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter, time_ns

from starlette.requests import Request

from bentos.assistant.gauges import Gauges
from bentos.assistant.model import Assistant
from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.errors import Problem
from bentos.kit.handle import Handle
from bentos.kit.shell import CLOCK, SLOT
from tasks.errors import Unavailable
from tasks.language.engines import Busy, Cancel, Closed, Declined, End, Late, Piece, Prompt, Said, TooLong
from tasks.language.sampling import Sampling

ENGINE = "engine"  # the reason in /ready
GRACE_S = 5.0  # in which a request that ran out of time can still say so
AGAIN = {"Retry-After": "2"}
STATUS = {TooLong: (400, "context_length_exceeded"), Declined: (400, None), Busy: (429, None), Late: (504, None)}


@dataclass
class Choice:
    """One answer as far as it is written."""

    text: str = ""
    tokens: int = 0
    end: End | None = None


@dataclass
class Writing:
    """What is asked of one version, and what came of it."""

    request: Request
    model: str
    handle: Handle[Assistant]
    said: Said
    samplings: Sequence[Sampling]
    streamed: bool
    deadline: float
    choices: list[Choice] = field(default_factory=list)
    first_s: float | None = None
    started: float = field(default_factory=perf_counter)
    began: int = field(default_factory=time_ns)

    @property
    def prompt_tokens(self) -> int:
        return max((choice.end.prompt_tokens for choice in self.choices if choice.end), default=0)

    @property
    def tokens(self) -> int:
        return sum(choice.tokens for choice in self.choices)

    @property
    def took_s(self) -> float:
        return perf_counter() - self.started

    def add(self, number: int, piece: Piece) -> None:
        self.first_s = self.took_s if self.first_s is None else self.first_s
        choice = self.choices[number]
        choice.text += piece.text
        choice.tokens = piece.tokens
        choice.end = piece if isinstance(piece, End) else None


Told = tuple[int, Piece | BaseException]
Pieces = AsyncGenerator[tuple[int, Piece]]


def patient(request: Request, config: Config) -> float:
    """Give the request the time of an answer, and its slot to others: what waits for an answer is bounded apart. The
    moment of the loop's clock at which the answer is given up."""
    deadline = asyncio.get_running_loop().time() + config.generation_s
    request.scope[CLOCK].reschedule(deadline + GRACE_S)
    request.scope[SLOT].leave()
    return deadline


def admitted(waiting: int, many: int, most: int) -> None:
    """Problem where so many more answers are more than may wait."""
    if many > most:
        raise Problem(422, f"n: at most {most} answers may wait at once here, and {many} are asked for; ask for fewer.")
    if waiting + many > most:
        raise Problem(429, f"{waiting} answers wait already; try again shortly.", headers=AGAIN)


class Coming:
    """Answers that have left the service's slots and that no engine has yet, by model: one is loaded, a prompt read."""

    def __init__(self, most: int) -> None:
        self.most, self._many = most, Counter[str]()

    @contextmanager
    def place(self, model: str, many: int) -> Iterator[None]:
        admitted(self._many[model], many, self.most)
        self._many[model] += many
        try:
            yield
        finally:
            self._many -= Counter({model: many})  # which drops those of which none is left


async def write(desk: Desk[Assistant], gauges: Gauges, writing: Writing, prompt: Prompt) -> Pieces:
    """The pieces of all choices, each with the number of its choice; whoever stops asking ends them."""
    loop, told = asyncio.get_running_loop(), asyncio.Queue[Told]()
    engine = writing.handle.model.engine
    admitted(engine.waiting, len(writing.samplings), desk.config.max_waiting)

    def tell(number: int, piece: Piece | BaseException) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(told.put_nowait, (number, piece))

    writing.choices = [Choice() for _ in writing.samplings]
    cancels: list[Cancel] = []
    with writing.handle:
        try:
            for how in writing.samplings:
                cancels.append(engine.start(prompt, how, partial(tell, how.choice)))
            while any(choice.end is None for choice in writing.choices):
                async with asyncio.timeout_at(writing.deadline):
                    number, piece = await told.get()
                if isinstance(piece, BaseException):
                    raise piece
                desk.reasons.pop(ENGINE, None)
                writing.add(number, piece)
                yield number, piece
        except TimeoutError:
            raise late(desk.config) from None
        except Unavailable as error:
            if not isinstance(error, Busy | Closed):
                desk.reasons[ENGINE] = str(error)
            raise
        finally:
            for cancel in cancels:
                cancel()
            count(writing, gauges)


def late(config: Config) -> Problem:
    return Problem(504, f"The answer took longer than {config.generation_s:g} s and was given up.")


def count(writing: Writing, gauges: Gauges) -> None:
    version = writing.handle.version
    gauges.tokens.labels("prompt", version).inc(writing.prompt_tokens)
    gauges.tokens.labels("completion", version).inc(writing.tokens)
    if writing.first_s is not None:
        gauges.first.observe(writing.first_s)
    for choice in writing.choices:
        why = (choice.end.why or choice.end.finish) if choice.end else "given up"
        gauges.ends.labels(why, version).inc()


def problem(error: Exception) -> Exception:
    """What an engine refuses, under the status that clients of the API expect."""
    known = next((STATUS[kind] for kind in STATUS if isinstance(error, kind)), None)
    if known is None:
        return error
    return Problem(known[0], str(error), known[1], headers=AGAIN if known[0] == 429 else None)
