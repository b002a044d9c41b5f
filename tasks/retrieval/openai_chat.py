"""Any server that speaks OpenAI's chat API, asked for one answer at a time."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tasks.errors import BadInput, Unavailable

TIMEOUT_S = 60.0


@dataclass
class Spent:
    """What a model was asked for one question: how often, and the tokens that it read and wrote, as far as its server
    says."""

    calls: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    def add(self, prompt_tokens: int, completion_tokens: int) -> None:
        self.prompt_tokens = (self.prompt_tokens or 0) + prompt_tokens
        self.completion_tokens = (self.completion_tokens or 0) + completion_tokens


class OpenAIChat:
    """The server at OPENAI_BASE_URL with OPENAI_API_KEY, the client's own variables; `model` is what it calls it."""

    def __init__(self, model: str, timeout_s: float = TIMEOUT_S) -> None:
        import openai

        self.model, self._openai, self._timeout_s = model, openai, timeout_s
        try:
            self._client = openai.OpenAI(timeout=timeout_s, max_retries=1)
        except openai.OpenAIError as error:
            raise BadInput(
                f"The OpenAI client does not start ({error}); set OPENAI_API_KEY, to any text where the server at "
                "OPENAI_BASE_URL asks for none."
            ) from None

    def hurry(self, timeout_s: float) -> None:
        """Give up after so long, and without a second try: in a service somebody waits."""
        self._client, self._timeout_s = self._client.with_options(timeout=timeout_s, max_retries=0), timeout_s

    def said(self, messages: list[dict[str, str]], most: int, spent: Spent) -> Iterator[str]:
        """The answer in pieces, of `most` tokens. Unavailable: none, or not whole in time."""
        spent.calls += 1
        told: Any = messages
        until = time.monotonic() + self._timeout_s
        try:
            with self._client.chat.completions.create(
                model=self.model, messages=told, max_tokens=most, temperature=0, stream=True,
                stream_options={"include_usage": True},
            ) as stream:  # fmt: skip
                for event in stream:
                    if time.monotonic() > until:
                        raise self._out("did not answer in time")
                    if event.usage:
                        spent.add(event.usage.prompt_tokens, event.usage.completion_tokens)
                    if event.choices and (text := event.choices[0].delta.content):
                        yield text
        except self._openai.APITimeoutError:
            raise self._out("did not answer in time") from None
        except self._openai.APIStatusError as error:
            raise self._out(f"answered {error.status_code}") from None
        except self._openai.OpenAIError as error:
            raise self._out(f"failed ({error})") from None

    def close(self) -> None:
        self._client.close()

    def _out(self, what: str) -> Unavailable:
        return Unavailable(
            f"The model {self.model} at {self._client.base_url} {what}; see that the server runs and that "
            "OPENAI_BASE_URL and OPENAI_API_KEY are right."
        )
