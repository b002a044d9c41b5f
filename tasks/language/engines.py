"""Who writes the answers: prompt and sampling in, pieces of text out, one job at a time or many as the engine can.

An engine with logits writes each answer through `Writing`, so that all of them sample, stop and end alike."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Literal, Protocol

from tasks.errors import BadInput, Unavailable
from tasks.language.chats import Message
from tasks.language.rendering import Chat
from tasks.language.sampling import Logits, Loops, Sampler, Sampling

Said = tuple[Message, ...] | str
Finish = Literal["stop", "length"]
Why = Literal["eos", "stop sequence", "loop", "max_tokens", "context"]
FINISHES: dict[Why, Finish] = {
    "eos": "stop", "stop sequence": "stop", "loop": "stop", "max_tokens": "length", "context": "length",
}  # fmt: skip


class TooLong(BadInput):
    """The prompt leaves no room for an answer."""

    def __init__(self, tokens: int, context: int, max_tokens: int) -> None:
        super().__init__(
            f"The prompt has {tokens} tokens and the model's context {context}: there is no room for an answer "
            f"(max_tokens {max_tokens}); shorten the messages."
        )


class Declined(BadInput):
    """The engine's server refused the request."""


class Busy(Unavailable):
    """The engine's server has too much to do."""


class Late(Unavailable):
    """The engine did not answer in time."""


class Closed(Unavailable):
    """The engine ended before the answer did."""

    def __init__(self) -> None:
        super().__init__("The engine was closed; ask again.")


@dataclass(frozen=True)
class Prompt:
    """What is continued: a conversation or bare text, with its tokens where the engine reads them itself."""

    said: Said
    tokens: Sequence[int] = ()


@dataclass(frozen=True)
class Piece:
    """The next part of an answer, maybe empty; `tokens` counts the answer's up to here."""

    text: str
    tokens: int


@dataclass(frozen=True)
class End(Piece):
    """The last part; `why` is None where a server does not say."""

    prompt_tokens: int
    finish: Finish
    why: Why | None


Tell = Callable[[Piece | BaseException], None]
Cancel = Callable[[], None]


class Engine(Protocol):
    """Used by any number of threads."""

    @property
    def waiting(self) -> int:
        """Answers that are not begun yet."""
        ...

    def read(self, said: Said, max_tokens: int) -> Prompt:
        """What `start` takes. TooLong where no answer would fit."""
        ...

    def start(self, prompt: Prompt, sampling: Sampling, tell: Tell) -> Cancel:
        """Write an answer when its turn comes: `tell` gets its pieces, then an End or what went wrong.

        `tell` is called in any thread. Once cancelled the answer's place is free, waiting or not, and nothing more is
        told. Closed where the engine is."""
        ...

    def close(self) -> None:
        """End what is written and what waits, whose `tell` gets Closed; waits for nothing, and may be called again."""
        ...


def written(engine: Engine, said: Said, sampling: Sampling) -> Iterator[Piece]:
    """An answer as it grows, for whoever may wait; an End comes last."""
    told: SimpleQueue[Piece | BaseException] = SimpleQueue()
    cancel = engine.start(engine.read(said, sampling.max_tokens), sampling, told.put)
    try:
        while not isinstance(one := told.get(), End):
            if isinstance(one, BaseException):
                raise one
            yield one
        yield one
    finally:
        cancel()


class Writing:
    """One answer as it grows: logits in, pieces out."""

    def __init__(self, chat: Chat, prompt: Prompt, sampling: Sampling) -> None:
        self._chat, self._prompt, self._sampling = chat, prompt, sampling
        self._sampler = Sampler(sampling, prompt.tokens, chat.tokenizer.get_vocab_size())
        self._stream, self._stops, self._loops = chat.stream(), Stops(sampling.stop), Loops()
        self._room = chat.context - len(prompt.tokens)
        self.tokens = 0
        self.last = -1

    def step(self, logits: Logits) -> Piece:
        """Draw the next token, `last`, and give the text that is certain with it."""
        self.last = token = self._sampler.draw(logits)
        self.tokens += 1
        if token in self._chat.ends:
            return self._end("eos", self._stops.rest())
        text, stopped = self._stops.add(self._stream.add(token))
        if stopped:
            return self._end("stop sequence", text)
        if self._loops.closed(token):
            return self._end("loop", text + self._stops.rest())
        if self.tokens >= min(self._sampling.max_tokens, self._room):
            why: Why = "max_tokens" if self.tokens >= self._sampling.max_tokens else "context"
            return self._end(why, text + self._stops.rest())
        return Piece(text, self.tokens)

    def _end(self, why: Why, text: str) -> End:
        return End(text, self.tokens, len(self._prompt.tokens), FINISHES[why], why)


class Stops:
    """Ends a text before the stop string that is whole first, wherever its pieces were cut: what may be the beginning
    of one is held back."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop, self._held = stop, ""

    def add(self, text: str) -> tuple[str, bool]:
        """The text that is certain, and whether it ends here."""
        text = self._held + text
        found = [(place + len(one), place) for one in self._stop if (place := text.find(one)) >= 0]
        if found:
            self._held = ""
            return text[: min(found)[1]], True
        held = max((_overlap(text, one) for one in self._stop), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held], False

    def rest(self) -> str:
        """What was held back, where no stop string came of it."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How much of the text's end is the stop string's beginning."""
    most = min(len(text), len(stop) - 1)
    return next((size for size in range(most, 0, -1) if text.endswith(stop[:size])), 0)
