"""Who writes the answer: the extractive one without a model, or any server that speaks OpenAI's chat API."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from tasks.errors import BadInput
from tasks.retrieval.openai_chat import TIMEOUT_S, OpenAIChat, Spent
from tasks.retrieval.prompts import Prompt
from tasks.retrieval.store import Hit

Turn = tuple[str, str]
ANSWER_TOKENS = 600
QUESTION_TOKENS = 120


class Generator(Protocol):
    """Writes from hits. `[n]` in its text names the n-th hit, from 1."""

    def standalone(self, question: str, turns: Sequence[Turn], spent: Spent) -> str:
        """The question as it would be asked without the (role, text) turns before it."""
        ...

    def answer(self, question: str, hits: Sequence[Hit], spent: Spent) -> Iterator[str]:
        """The text in pieces, or the refusal of the prompt."""
        ...


class OpenAIGenerator(OpenAIChat):
    """Asked by the prompt of the release."""

    def __init__(self, model: str | None, prompt: Prompt, timeout_s: float = TIMEOUT_S) -> None:
        if not model:
            raise BadInput("The generator `openai` needs the name of a model; set `model` in the recipe's `answers`.")
        super().__init__(model, timeout_s)
        self.prompt = prompt

    def standalone(self, question: str, turns: Sequence[Turn], spent: Spent) -> str:
        if not turns:
            return question
        text = "".join(self.said(self.prompt.rewriting(question, turns), QUESTION_TOKENS, spent))
        return " ".join(text.split()) or question

    def answer(self, question: str, hits: Sequence[Hit], spent: Spent) -> Iterator[str]:
        yield from self.said(self.prompt.answering(question, hits), ANSWER_TOKENS, spent)
