"""A conversation with an assistant through the OpenAI API: questions out, answers printed as they come."""

from dataclasses import dataclass, field
from typing import Any

import openai

from flows import console
from tasks.errors import BadInput, NotFound, PenstockError, Unavailable

LENGTH = "cut off here: the answer reached its greatest length"
NOTES = {
    "loop": "ended here: it began to repeat itself",
    "context": "cut off here: the conversation fills the model's memory; /clear starts a new one",
    "max_tokens": LENGTH,
    "length": LENGTH,
}
CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)])  # a model must not steer the terminal


@dataclass
class Talk:
    """One conversation; the whole of it goes with every question."""

    client: openai.OpenAI
    url: str
    model: str = ""
    system: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, str]] = field(default_factory=list)

    def models(self) -> list[str]:
        """What the service offers; the version that serves comes first."""
        try:
            return [one.id for one in self.client.models.list()]
        except openai.NotFoundError:
            raise NotFound(f"No assistant answers at {self.url}; name the URL of one with --url.") from None
        except openai.OpenAIError as error:
            raise self.problem(error) from None

    def choose(self, wanted: str | None) -> None:
        """By the whole name, or by what comes after the release's; without one, the version that serves."""
        names = self.models()
        found = [one for one in names if wanted in (None, one, one.removeprefix(f"{names[0]}-"))]
        if not found:
            raise BadInput(f"There is no model {wanted}; there are: {', '.join(names)}.")
        self.model = found[0]

    def say(self, question: str) -> str:
        """Print the answer as it comes; what should be known about it. An answer that was stopped is gone on from."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        asked = [*self.history, {"role": "user", "content": question}]
        messages: Any = system + asked
        text, why, version = "", None, ""
        try:
            with self.client.chat.completions.create(
                model=self.model, messages=messages, stream=True, **self.options
            ) as stream:
                for chunk in stream:
                    version = str(chunk.system_fingerprint).removeprefix("v")
                    for choice in chunk.choices:
                        piece = (choice.delta.content or "").translate(CONTROLS)
                        text += piece
                        console.out.out(piece, end="", highlight=False)
                        why = ended(chunk) or choice.finish_reason or why
        except KeyboardInterrupt:
            if text:
                self.history = [*asked, {"role": "assistant", "content": text}]
            raise
        except openai.OpenAIError as error:
            raise self.problem(error) from None
        if why is None:
            raise Unavailable("The answer was cut off before its end; ask again.")
        self.history = [*asked, {"role": "assistant", "content": text}]
        note = NOTES.get(why, "") if text.strip() else "the answer is empty"
        return f"{self.model}, version {version}" + (f"; {note}" if note else "")

    def problem(self, error: openai.OpenAIError) -> PenstockError:
        """What the service refused, or that it does not answer, in a sentence."""
        if isinstance(error, openai.RateLimitError):
            return Unavailable("The assistant is busy with other answers; try again in a moment.")
        if isinstance(error, openai.AuthenticationError):
            return BadInput(
                f"The service at {self.url} does not know this API key; set OPENAI_API_KEY to one of its own."
            )
        if isinstance(error, openai.APIError) and isinstance(error.body, dict) and "message" in error.body:
            return Unavailable(str(error.body["message"]))
        why = error.__cause__ or error
        return Unavailable(f"The service at {self.url} cannot be reached or broke off ({why}); see that it runs.")


def ended(chunk: Any) -> str | None:
    """Why the answer ended, where the service says more than the API has words for."""
    facts = getattr(chunk, "penstock", None)
    why: str | None = facts["why"][0] if facts else None
    return why
