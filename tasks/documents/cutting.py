"""Sections cut into pieces that the embedding model can take: whole sentences in sliding windows, tables by rows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tokenizers import Tokenizer

from tasks.documents.parsed import Block
from tasks.documents.sentences import sentences

AT_ONCE = 2000  # texts
CHARACTERS = 8  # per token at most: a tokenizer takes a word of any length for one unknown token
TINY = 8  # the part of a window below which a last piece joins the one before
RULE = re.compile(r"[\s|:+=-]+")


@dataclass(frozen=True)
class Unit:
    """A sentence or line that stays whole: `text` from `start` to `end`, of the block with this number."""

    text: str
    start: int
    end: int
    weight: int
    block: int
    page: int


@dataclass(frozen=True)
class Piece:
    """Text of a chunk and where it stands."""

    text: str
    page: int
    last_page: int
    table: bool = False


class Scale:
    """Weighs texts in tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def tokens(self, texts: Sequence[str]) -> list[int]:
        found: list[int] = []
        for start in range(0, len(texts), AT_ONCE):
            some = self.tokenizer.encode_batch_fast(texts[start : start + AT_ONCE], add_special_tokens=False)
            found += [len(encoding.ids) for encoding in some]
        return found

    def weights(self, texts: Sequence[str]) -> list[int]:
        """Tokens, or more where a text has many characters for each."""
        return [
            max(tokens, -(-len(text) // CHARACTERS)) for text, tokens in zip(texts, self.tokens(texts), strict=True)
        ]


def pieces(blocks: list[Block], scale: Scale, room: int, overlap: int, most: int) -> Iterator[Piece]:
    """The pieces of one section: up to `room` tokens each, `most` where a tiny rest joins in; tables for themselves."""
    waiting: list[Block] = []
    for block in blocks:
        if block.kind != "table":
            waiting.append(block)
            continue
        yield from _running(waiting, scale, room, overlap, most)
        waiting = []
        yield from rows(block, scale, room)
    yield from _running(waiting, scale, room, overlap, most)


def _running(blocks: list[Block], scale: Scale, room: int, overlap: int, most: int) -> Iterator[Piece]:
    found = units(blocks, scale, room)
    for start, end in windows([unit.weight for unit in found], room, overlap, most):
        text = joined(found[start:end])
        if text:
            yield Piece(text, found[start].page, found[end - 1].page)


def windows(weights: list[int], room: int, overlap: int, most: int) -> list[tuple[int, int]]:
    """Ranges that cover everything in order; each begins with as much of the one before as `overlap` takes."""
    found: list[tuple[int, int]] = []
    start = done = 0
    while done < len(weights):
        end, weight = done, sum(weights[start:done])
        while end < len(weights) and (weight + weights[end] <= room or end == start):
            weight += weights[end]
            end += 1
        if end == done:  # the overlap leaves no room for what is next
            start += 1
            continue
        found.append((start, end))
        start, done, weight = end, end, 0
        while start > found[-1][0] + 1 and weight + weights[start - 1] <= overlap:
            start -= 1
            weight += weights[start]
    return _with_rest(found, weights, room, most)


def _with_rest(found: list[tuple[int, int]], weights: list[int], room: int, most: int) -> list[tuple[int, int]]:
    """A last window that brings almost nothing new joins the one before, where the model can take both."""
    if len(found) < 2:
        return found
    (start, before), (_, end) = found[-2:]
    if sum(weights[before:end]) > room // TINY or sum(weights[start:end]) > most:
        return found
    return [*found[:-2], (start, end)]


def units(blocks: list[Block], scale: Scale, room: int) -> list[Unit]:
    """The sentences of text and the lines of code; what is longer than a window is cut where it must be."""
    spans = [
        (number, start, end)
        for number, block in enumerate(blocks)
        for start, end in (lines(block.text) if block.kind == "code" else sentences(block.text))
    ]
    weights = scale.weights([blocks[number].text[start:end] for number, start, end in spans])
    found = []
    for (number, start, end), weight in zip(spans, weights, strict=True):
        text, page = blocks[number].text, blocks[number].page
        parts = [(start, end, weight)] if weight <= room else halves(text, start, end, weight, scale, room)
        found += [Unit(text, first, last, heavy, number, page) for first, last, heavy in parts]
    return found


def lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield start, end
        start = end


def halves(text: str, start: int, end: int, weight: int, scale: Scale, room: int) -> Iterator[tuple[int, int, int]]:
    """Parts of about equal length that fit, cut at blanks where there are some nearby."""
    count = -(-weight // room)
    edges = [start]
    for part in range(1, count):
        aim = start + (end - start) * part // count
        blank = text.rfind(" ", max(edges[-1], aim - (end - start) // (4 * count)), aim)
        edges.append(blank + 1 if blank > edges[-1] else max(aim, edges[-1] + 1))
    edges = [edge for edge in edges if edge < end] + [end]
    spans = list(pairwise(edges))
    weights = scale.weights([text[first:last] for first, last in spans])
    for (first, last), heavy in zip(spans, weights, strict=True):
        if heavy <= room or last - first < 2:
            yield first, last, heavy
        else:
            yield from halves(text, first, last, max(heavy, room + 1), scale, room)


def joined(found: Sequence[Unit]) -> str:
    """The text of neighbouring units; blocks stay paragraphs."""
    parts: list[str] = []
    start = 0
    for place, unit in enumerate(found):
        if place + 1 == len(found) or found[place + 1].block != unit.block:
            parts.append(unit.text[found[start].start : unit.end].strip("\n").rstrip())
            start = place + 1
    return "\n\n".join(part for part in parts if part.strip())


def rows(block: Block, scale: Scale, room: int) -> Iterator[Piece]:
    """A table by rows, its header row on top of each piece; a row that is too long is cut."""
    text = block.text.strip("\n").split("\n")
    top = 2 if len(text) > 2 and RULE.fullmatch(text[1]) else 1
    header = "\n".join(text[:top])
    cost = scale.weights([header])[0]
    repeated = cost <= room // 3 and len(text) > top
    body = text[top:] if repeated else text
    space = room - cost if repeated else room
    found = units([Block(kind="code", text="\n".join(body), page=block.page)], scale, space)
    for start, end in windows([unit.weight for unit in found], space, 0, space):
        if part := joined(found[start:end]):
            yield Piece(f"{header}\n{part}" if repeated else part, block.page, block.page, table=True)
