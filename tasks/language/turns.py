"""Conversations cut into examples, one for each answer; what is longer than a model reads is put aside."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa

from tasks.artifacts import Artifact
from tasks.errors import BadInput
from tasks.language.chats import Example
from tasks.language.conversations import conversations
from tasks.language.duplicates import said
from tasks.language.faults import Cause, Fault, causes_of, listed
from tasks.language.forms import Conversation, fact_of, text_of
from tasks.language.rendering import Chat
from tasks.sources.frames import put_table


class Fitting(NamedTuple):
    """The examples that a model can take; `quarantine` has the others: id, reason and messages."""

    kept: list[Example]
    quarantine: Artifact | None
    causes: tuple[Cause, ...]


def examples(table: Artifact) -> list[Example]:
    """An example for each answer, with all that was said before it; of equal ones, whose conversations part later, one.

    The last answer has the conversation's fact, an earlier one that of its own words."""
    rows = list(conversations(table))
    cut = [*map(_last, rows), *(example for row in rows for example in _earlier(row))]
    once: dict[bytes, Example] = {}
    for one in cut:
        once.setdefault(said(one.messages), one)
    return list(once.values())


def fitting(examples: Iterable[Example], chat: Chat, most: int) -> Fitting:
    """The examples of at most so many tokens, answer and template included. BadInput: there are none."""
    kept, aside = [], []
    for one in examples:
        try:
            _check_length(one, chat, most)
            kept.append(one)
        except Fault as fault:
            aside.append((one, fault))
    causes = causes_of((f"example {one.id}", fault) for one, fault in aside)
    if not kept:
        raise BadInput(f"None of {len(aside)} examples can be learned by this model. Causes:\n{listed(causes)}")
    return Fitting(kept, _quarantine(aside) if aside else None, causes)


def _last(row: Conversation) -> Example:
    return Example(id=row.id, messages=row.messages, fact=row.fact)


def _earlier(row: Conversation) -> Iterator[Example]:
    ends = [end for end, one in enumerate(row.messages[:-1], 1) if one.role == "assistant"]
    for turn, end in enumerate(ends, 1):
        messages = row.messages[:end]
        yield Example(id=f"{row.id}/{turn}", messages=messages, fact=fact_of(messages[-1].content))


def _check_length(one: Example, chat: Chat, most: int) -> None:
    try:
        tokens, _ = chat.example(one.messages)
    except BadInput as error:
        raise Fault("the model's template takes the messages", str(error)) from None
    if len(tokens) > most:
        raise Fault(f"an example has at most {most} tokens", str(len(tokens)))


def _quarantine(aside: list[tuple[Example, Fault]]) -> Artifact:
    return put_table(
        "quarantine",
        pa.table(
            {
                "id": [one.id for one, _ in aside],
                "reason": [str(fault) for _, fault in aside],
                "messages": pa.array([text_of(one.messages) for one, _ in aside], pa.large_string()),
            }
        ),
    )
