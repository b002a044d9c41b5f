"""A creative release as the kit serves it: validation and prediction of its records, and what is drafted from them."""

from functools import partial
from pathlib import Path
from typing import Any

from bentos.kit.config import loading
from bentos.kit.handle import ReleaseFile
from bentos.kit.pieces import piece
from bentos.kit.rows import Reader, Row
from tasks.creative.served import Served


class Creative:
    """One loaded version; holds nothing that a request changes."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.reader = Reader(served.schema)

    def judged(self, rows: list[Row], words: bool, drafts: bool) -> list[Row]:
        """One piece of work, for a thread."""
        found = self.served.predict(rows)
        for row, one in zip(rows, found, strict=True):
            if words:
                one["words"] = [part.model_dump() for part in self.served.moved(row, one["probability"])]
            if drafts and (made := self.served.drafts(row)):
                one |= made.model_dump()
        return found

    def answer(self, request: Row) -> Row:
        """A golden request, or a shadowed one."""
        return self.served.predict([request])[0]

    def close(self) -> None:
        """Nothing to give back: memory goes with the last reference."""


def load_creative(folder: Path, _release: ReleaseFile) -> Creative:
    return Creative(Served.load(folder, partial(piece, folder), loading().embed_threads))


def features(row: Row, answer: Row) -> dict[str, Any]:
    """Facts of a record that tell drift without telling its text."""
    texts = [value for value in row.values() if isinstance(value, str)]
    numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
    letters = [one for text in texts for one in text if one.isalpha()]
    return {
        "chars": sum(map(len, texts)),
        "words": sum(len(text.split()) for text in texts),
        "capitals": round(sum(one.isupper() for one in letters) / max(len(letters), 1), 3),
        "cut": bool(answer.get("cut")),
        **numbers,
    }
