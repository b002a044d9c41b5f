"""The assistant's routes in its OpenAPI document: types, examples, and which fields are accepted or refused."""

from typing import Any

from pydantic import BaseModel

from bentos.assistant import embeddings, listing, replies
from bentos.assistant.fields import ABSENT, IGNORED
from bentos.assistant.schemas import ChatRequest, CompletionRequest, EmbeddingRequest
from bentos.kit.openapi import Described, components

QUESTION = "What courses are there?"


def summary(what: str, kind: type[BaseModel]) -> str:
    """With the fields that are accepted and change nothing, and those that are refused unless they ask for nothing."""
    told = kind.model_json_schema()["properties"]

    def named(about: str) -> str:
        return ", ".join(name for name, field in told.items() if field.get("description") == about)

    return f"{what}. Accepted without effect: {named(IGNORED)}. Refused where they ask for something: {named(ABSENT)}"


def describe(release: str) -> Described:
    """`release` is the name of the model in the examples."""
    types: dict[str, Any] = {
        "ChatRequest": ChatRequest, "CompletionRequest": CompletionRequest, "EmbeddingRequest": EmbeddingRequest,
        "ChatAnswer": replies.ChatAnswer, "TextAnswer": replies.TextAnswer,
        "EmbeddingList": embeddings.EmbeddingList, "ModelList": listing.ModelList, "Model": listing.Model,
    }  # fmt: skip
    examples = {
        "/v1/chat/completions": {"model": release, "messages": [{"role": "user", "content": QUESTION}]},
        "/v1/completions": {"model": release, "prompt": QUESTION, "max_tokens": 16},
        "/v1/embeddings": {"model": release, "input": [QUESTION], "encoding_format": "float"},
    }
    return Described(components(**types), examples)
