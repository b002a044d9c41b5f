"""Requests as clients of the OpenAI API send them: strict, bounded; an unknown field is refused by name."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from bentos.assistant.fields import (
    MANY,
    ONE,
    Choices,
    Either,
    Ignored,
    IgnoredFlag,
    Metadata,
    ModelId,
    NGram,
    NoChoice,
    NoFlag,
    NoList,
    Nothing,
    Only,
    Penalty,
    Repetition,
    Said,
    Seed,
    Stops,
    Strict,
    Temperature,
    Text,
    Tokens,
    TopP,
)
from tasks.language.chats import Message, Role
from tasks.language.sampling import GenerationOptions, Sampling

MESSAGES = 2000


class Part(Strict):
    """A part of a message: text only."""

    type: Literal["text"]
    text: Text


Parts = Annotated[list[Part], Field(min_length=1, max_length=1000, fail_fast=True)]


class Turn(Strict):
    """One turn of a conversation; what an earlier answer carried beside its text may be sent back with it."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[Annotated[Text, ONE] | Annotated[Parts, MANY], Either]
    name: Ignored = None
    refusal: Nothing = None
    annotations: NoList = None
    audio: Nothing = None
    tool_calls: NoList = None
    function_call: Nothing = None

    @property
    def message(self) -> Message:
        said = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        role: Role = "system" if self.role == "developer" else self.role
        return Message(role=role, content=said)


class StreamOptions(Strict):
    include_usage: bool | None = Field(None, description="Send a last chunk with the usage")
    include_obfuscation: IgnoredFlag = None


class Generating(Strict):
    """What conversations and bare text have in common; null stands for the release's own value."""

    model: ModelId
    max_tokens: Tokens | None = Field(None, description="Answers end at the service's own limit, too")
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stop: Stops | None = None
    n: Choices | None = None
    seed: Seed | None = None
    stream: bool | None = Field(None, description="Answer as text/event-stream")
    stream_options: StreamOptions | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Repetition | None = None
    no_repeat_ngram_size: NGram | None = None
    logit_bias: Annotated[Any, Only(None, {})] = None
    user: Ignored = None

    @model_validator(mode="after")
    def streams_what_it_says(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options are for stream: true")
        return self

    @property
    def most(self) -> int | None:
        return self.max_tokens

    @property
    def usage_last(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def samplings(self, own: GenerationOptions, limit: int) -> list[Sampling]:
        """How each choice is written: as asked, else as the release has it."""
        names = ("temperature", "top_p", "repetition_penalty", "no_repeat_ngram_size")
        told = {name: getattr(own, name) if getattr(self, name) is None else getattr(self, name) for name in names}
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        told |= {"max_tokens": min(self.most or own.max_tokens, limit), "stop": stop, "seed": self.seed}
        told |= {name: getattr(self, name) or 0.0 for name in ("frequency_penalty", "presence_penalty")}
        return [Sampling(choice=choice, **told) for choice in range(self.n or 1)]


class ChatRequest(Generating):
    """A conversation to be continued by the assistant."""

    messages: Annotated[list[Turn], Field(min_length=1, max_length=MESSAGES, fail_fast=True)]
    max_completion_tokens: Tokens | None = None
    tools: NoList = None
    tool_choice: NoChoice = None
    functions: NoList = None
    function_call: NoChoice = None
    response_format: Annotated[Any, Only(None, {"type": "text"})] = None
    logprobs: NoFlag = None
    top_logprobs: Annotated[Any, Only(None, 0)] = None
    modalities: Annotated[Any, Only(None, ["text"])] = None
    audio: Nothing = None
    prediction: Nothing = None
    reasoning_effort: Annotated[Any, Only(None, "none")] = None
    verbosity: Nothing = None
    web_search_options: Nothing = None
    parallel_tool_calls: IgnoredFlag = None
    store: IgnoredFlag = None
    metadata: Metadata = None
    service_tier: Ignored = None
    safety_identifier: Ignored = None
    prompt_cache_key: Ignored = None
    prompt_cache_retention: Ignored = None

    @property
    def most(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def said(self) -> tuple[Message, ...]:
        return tuple(turn.message for turn in self.messages)


class CompletionRequest(Generating):
    """Bare text to be continued."""

    prompt: Said
    suffix: Annotated[Any, Only(None, "")] = None
    echo: NoFlag = None
    best_of: Annotated[Any, Only(None, 1)] = None
    logprobs: Nothing = None

    @property
    def said(self) -> str:
        return self.prompt


Saids = Annotated[list[Said], Field(min_length=1, max_length=256, fail_fast=True)]


class EmbeddingRequest(Strict):
    """Texts to embed; what is beyond the embedding model's length is cut off."""

    model: ModelId
    input: Annotated[Annotated[Said, ONE] | Annotated[Saids, MANY], Either]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Nothing = None
    user: Ignored = None

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input
