"""Who writes the answer: the extractive one without a model, or any server that speaks OpenAI's chat API."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from tasks.errors import BadInput, Unavailable
from tasks.retrieval.prompts import Message, Prompt
from tasks.retrieval.store import Hit

Turn = tuple[str, str]
TIMEOUT_S = 60.0
ANSWER_TOKENS = 600
QUESTION_TOKENS = 120


class Generator(Protocol):
    """Writes from hits. `[n]` in its text names the n-th hit, from 1."""

    def standalone(self, question: str, turns: Sequence[Turn]) -> str:
        """The question as it would be asked without the (role, text) turns before it."""
        ...

    def answer(self, question: str, hits: Sequence[Hit]) -> Iterator[str]:
        """The text in pieces, or the refusal of the prompt."""
        ...


class OpenAIGenerator:
    """The server at OPENAI_BASE_URL with OPENAI_API_KEY, the client's own variables; `model` is what it calls it."""

    def __init__(self, model: str | None, prompt: Prompt, timeout_s: float = TIMEOUT_S) -> None:
        if not model:
            raise BadInput("The generator `openai` needs the name of a model; set `model` in the recipe's `answers`.")
        import openai

        self.model, self.prompt, self._openai = model, prompt, openai
        try:
            self._client = openai.OpenAI(timeout=timeout_s, max_retries=1)
        except openai.OpenAIError as error:
            raise BadInput(
                f"The OpenAI client does not start ({error}); set OPENAI_API_KEY, to any text where the server at "
                "OPENAI_BASE_URL asks for none."
            ) from None

    def hurry(self, timeout_s: float) -> None:
        """Give up after so long, and without a second try: in a service somebody waits."""
        self._client = self._client.with_options(timeout=timeout_s, max_retries=0)

    def standalone(self, question: str, turns: Sequence[Turn]) -> str:
        if not turns:
            return question
        text = "".join(self._said(self.prompt.rewriting(question, turns), QUESTION_TOKENS))
        return " ".join(text.split()) or question

    def answer(self, question: str, hits: Sequence[Hit]) -> Iterator[str]:
        yield from self._said(self.prompt.answering(question, hits), ANSWER_TOKENS)

    def close(self) -> None:
        self._client.close()

    def _said(self, messages: list[Message], most: int) -> Iterator[str]:
        told: Any = messages
        try:
            with self._client.chat.completions.create(
                model=self.model, messages=told, max_tokens=most, temperature=0, stream=True
            ) as stream:
                for event in stream:
                    if event.choices and (text := event.choices[0].delta.content):
                        yield text
        except self._openai.APITimeoutError:
            raise self._out("did not answer in time") from None
        except self._openai.APIStatusError as error:
            raise self._out(f"answered {error.status_code}") from None
        except self._openai.OpenAIError as error:
            raise self._out(f"failed ({error})") from None

    def _out(self, what: str) -> Unavailable:
        return Unavailable(
            f"The model {self.model} at {self._client.base_url} {what}; see that the server runs and that "
            "OPENAI_BASE_URL and OPENAI_API_KEY are right."
        )
