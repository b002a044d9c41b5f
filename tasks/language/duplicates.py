"""Conversations that repeat another one are found: one of them is enough to learn from.

**The rule.** A conversation repeats an earlier one when both are the same by NFKC, without case and with single spaces;
or when all that stands before the last question is the same in that sense, the answers are the same or the facts are,
and the 3-word shingles of the last questions have a Jaccard index of at least 0.9. So two questions in other words that
have the same answer are both kept: wordings of a fact are wanted. A conversation is only ever held to one that stays.

**The way.** MinHash in 16 bands of 8 rows proposes pairs (one of Jaccard index 0.9 is missed once in 8000 times), the
shingles themselves decide. What shares neither answer nor fact with another is not looked at, of a band's bucket no
more than `FULL` conversations are, and the `TRIED` likest of them are compared, so that the time is linear.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.language.chats import Message
from tasks.language.forms import Conversation, fact_of, normalised

Hashes = NDArray[np.uint64]

ALIKE = 0.9
LIKELY = 0.8  # of the marks: nearly four standard deviations below
BANDS, ROWS = 16, 8
WORDS = 3
FULL = 16
TRIED = 4
MARKS = ".,;:!?\"'\u00ab\u00bb\u2018\u2019\u201a\u201c\u201d\u201e\u00a1\u00bf\u3001\u3002"
SEED = b"wordings"


def duplicates(rows: Sequence[Conversation]) -> dict[int, int]:
    """The place of each conversation that repeats an earlier one, and the place of that one, which stays."""
    exact = _exact(rows)
    near = _near(rows, [place for place in range(len(rows)) if place not in exact])
    return {place: near.get(first, first) for place, first in exact.items()} | near


def said(messages: Iterable[Message]) -> bytes:
    """What is said, by whom: the same where only case and spaces differ."""
    return _digest(*(part for one in messages for part in (one.role, normalised(one.content))))


def _exact(rows: Sequence[Conversation]) -> dict[int, int]:
    first: dict[bytes, int] = {}
    seen = [(place, first.setdefault(said(row.messages), place)) for place, row in enumerate(rows)]
    return {place: before for place, before in seen if place != before}


def _near(rows: Sequence[Conversation], places: list[int]) -> dict[int, int]:
    groups = [_groups(rows[place]) for place in places]
    sizes = Counter(group for found in groups for group in found)
    shared = [number for number, found in enumerate(groups) if any(sizes[group] > 1 for group in found)]
    if not shared:
        return {}
    shingles = [shingled(rows[places[number]].messages[-2].content) for number in shared]
    marks = marked(shingles)
    buckets: dict[int, list[int]] = defaultdict(list)
    found = {}
    for row, own in enumerate(_crowded(marks, [groups[number] for number in shared])):
        like = _like(row, sorted({other for bucket in own for other in buckets[bucket]}), marks, shingles)
        if like is not None:
            found[places[shared[row]]] = places[shared[like]]
            continue
        for bucket in own:
            if len(buckets[bucket]) < FULL:
                buckets[bucket].append(row)
    return found


def _groups(row: Conversation) -> list[int]:
    """Numbers of which another conversation has one too where it may be a wording of the same."""
    before = said(row.messages[:-2])
    names = {row.fact, fact_of(row.messages[-1].content)}
    return [int.from_bytes(_digest(before.hex(), name)[:8], "little") for name in sorted(names)]


def shingled(text: str) -> Hashes:
    """The distinct 3-word shingles of a text, as numbers; a shorter text is one shingle."""
    whole = normalised(text)
    words = [word for part in whole.split() if (word := part.strip(MARKS))] or [whole]
    if len(words) < WORDS:
        return np.array([_number(" ".join(words))], np.uint64)
    numbers = np.array([_number(word) for word in words], np.uint64)
    factors = _random(b"shingles", WORDS)
    count = len(words) - WORDS + 1
    parts = (numbers[place : place + count] * factors[place] for place in range(WORDS))
    return np.unique(sum(parts, np.zeros(count, np.uint64)))


def marked(shingles: Sequence[Hashes]) -> NDArray[np.uint32]:
    """The MinHash marks of each set of shingles: the share of equal ones estimates the Jaccard index."""
    values = np.concatenate(shingles)
    starts = np.cumsum([0, *map(len, shingles[:-1])])
    marks = np.empty((len(shingles), BANDS * ROWS), np.uint32)
    factors, shifts = _random(SEED + b" factors", BANDS * ROWS) | np.uint64(1), _random(SEED, BANDS * ROWS)
    for place in range(BANDS * ROWS):
        marks[:, place] = np.minimum.reduceat((values * factors[place] + shifts[place]) >> np.uint64(32), starts)
    return marks


def _crowded(marks: NDArray[np.uint32], groups: Sequence[list[int]]) -> list[list[int]]:
    """The buckets of each row that another row has as well: of the same group, with the same marks in a band."""
    factors = _random(SEED + b" bands", BANDS * ROWS)
    bands = np.stack(
        [marks[:, at : at + ROWS] @ factors[at : at + ROWS] for at in range(0, BANDS * ROWS, ROWS)], axis=1
    )
    owners = [row for row, found in enumerate(groups) for _ in found]
    salts = np.array([group for found in groups for group in found], np.uint64)
    keys = bands[owners] ^ salts[:, None]
    _, numbers, counts = np.unique(keys, return_inverse=True, return_counts=True)
    numbers = numbers.reshape(keys.shape)
    crowded = counts[numbers] > 1
    buckets: list[list[int]] = [[] for _ in groups]
    for entry in np.flatnonzero(crowded.any(axis=1)):
        buckets[owners[entry]] += numbers[entry][crowded[entry]].tolist()
    return buckets


def _like(row: int, others: list[int], marks: NDArray[np.uint32], shingles: Sequence[Hashes]) -> int | None:
    """The likest of the other rows whose question is the same but for a word or two."""
    if not others:
        return None
    shares = (marks[others] == marks[row]).mean(axis=1)
    for best in np.argsort(-shares, kind="stable")[:TRIED]:
        other = others[int(best)]
        if shares[best] >= LIKELY and jaccard(shingles[row], shingles[other]) >= ALIKE:
            return other
    return None


def jaccard(one: Hashes, other: Hashes) -> float:
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)


@lru_cache(1 << 16)
def _number(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


def _random(seed: bytes, count: int) -> Hashes:
    """The same numbers for ever, whatever the version of numpy."""
    drawn: NDArray[Any] = np.frombuffer(hashlib.shake_256(seed).digest(8 * count), "<u8")
    return drawn.astype(np.uint64)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
