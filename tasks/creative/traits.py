"""Facts of a record that tell drift without telling its text: the service logs them, the reference has them, too."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tasks.creative.texts import LONGEST
from tasks.documents.language import SHORT, language

Row = dict[str, Any]

VOCABULARY = "words.txt"  # of a release folder: the words of its training texts, one a line
MOST = 50_000  # words
FEWEST = 2  # texts that hold a word; one of a single text might tell of a person, and says little of the others
WORD = re.compile(r"[^\W\d_]+")


def traits(row: Row, cut: bool, known: frozenset[str] | None = None) -> Row:
    """Its numbers, and facts of its texts; `cut`: only the beginning was read. `known` are the words of training: the
    share of other words, and the language, are told where they are."""
    texts = texts_of(row)
    numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
    read = " ".join(texts)[:LONGEST]
    told = {
        "chars": sum(map(len, texts)),
        "words": sum(len(text.split()) for text in texts),
        "capitals": round(sum(map(str.isupper, read)) / max(sum(map(str.isalpha, read)), 1), 3),
        "cut": cut,
    }
    if known is None:
        return numbers | told
    words = WORD.findall(read.lower())
    unknown = round(sum(word not in known for word in words) / max(len(words), 1), 4)
    return numbers | told | {"language": language(read, SHORT), "unknown_words": unknown}


def texts_of(row: Row) -> list[str]:
    return [value for value in row.values() if isinstance(value, str)]


def vocabulary(rows: Iterable[Row]) -> list[str]:
    """The words that at least two of the records hold, those of most records first."""
    counts = Counter(word for row in rows for word in set(WORD.findall(" ".join(texts_of(row))[:LONGEST].lower())))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return [word for word in ranked[:MOST] if counts[word] >= FEWEST]
