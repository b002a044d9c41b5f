"""Citations: what an answer rests on, and the `[n]` in a growing text, which may name only what was found."""

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from tasks.documents.chunk_file import Chunk
from tasks.retrieval.store import Hit
from tasks.retrieval.words import sentences, stems

SNIPPET = 320
MARKER = re.compile(r"\s*\[([0-9,;\s]+)\]")
HELD = re.compile(r"\s*\[[0-9,;\s]*$|\s+$")  # what may become a marker with the next piece
OPEN = re.compile(r"\[[0-9,;\s]*$")
DIGITS = 4


class Citation(BaseModel):
    """A place in a document; `number` is its `[n]` in the answer, `heading` the path down to it."""

    model_config = ConfigDict(frozen=True)

    number: int
    document: str
    page: int
    last_page: int
    heading: str
    snippet: str
    score: float


def citations(hits: Sequence[Hit]) -> list[Citation]:
    """All hits as citations, in their order."""
    return [citation(number, hit) for number, hit in enumerate(hits, start=1)]


def citation(number: int, hit: Hit, near: str = "") -> Citation:
    """The hit as a citation whose snippet lies around what is most like `near`."""
    chunk = hit.chunk
    return Citation(
        number=number,
        document=chunk.document,
        page=chunk.page,
        last_page=chunk.last_page,
        heading=" > ".join(chunk.heading),
        snippet=snippet(chunk, near),
        score=hit.score,
    )


def snippet(chunk: Chunk, near: str = "") -> str:
    """Some sentences of a chunk: from the one before the one most like `near`, or from its start."""
    parts = sentences(chunk.text) or [chunk.text]
    wanted = set(stems(near))
    likes = [len(wanted & set(stems(part))) / (1 + len(set(stems(part)) - wanted)) for part in parts]
    best = likes.index(max(likes))
    text = " ".join(parts[best:])
    if best and len(parts[best - 1]) + len(parts[best]) < SNIPPET:
        text = f"{parts[best - 1]} {text}"
    return text if len(text) <= SNIPPET else text[:SNIPPET].rsplit(" ", 1)[0] + " …"


class Numbering:
    """Renumbers the `[n]` of a text that comes in pieces by first use; what names no hit is dropped."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = hits
        self.text = ""
        self._held = ""
        self._numbers: dict[int, int] = {}
        self._near: dict[int, str] = {}

    def feed(self, piece: str) -> str:
        """What can be told of the text so far."""
        ready = self._held + piece
        found = HELD.search(ready)
        self._held = ready[found.start() :] if found else ""
        return self._told(ready[: found.start()] if found else ready)

    def end(self) -> str:
        """What was held back."""
        rest, self._held = self._held, ""
        return self._told(rest.rstrip())

    def citations(self) -> list[Citation]:
        return [citation(new, self.hits[old], self._near[old]) for old, new in self._numbers.items()]

    def _told(self, ready: str) -> str:
        start, at = len(self.text), 0
        for found in MARKER.finditer(ready):
            self.text += ready[at : found.start()]
            self.text += self._marker(found)
            at = found.end()
        self.text += ready[at:]
        return self.text[start:]

    def _marker(self, found: re.Match[str]) -> str:
        digits = re.findall(r"[0-9]+", found[1])
        if not digits:
            return found[0]
        named = [int(part) for part in digits if len(part) <= DIGITS]
        known = [number - 1 for number in named if 1 <= number <= len(self.hits)]
        for old in known:
            self._near.setdefault(old, sentences(self.text)[-1] if self.text.strip() else "")
        new = [self._numbers.setdefault(old, len(self._numbers) + 1) for old in known]
        if not new:  # within an open bracket nothing would leave a marker that nobody wrote
            return "()" if OPEN.search(self.text) else ""
        space = found[0][: found[0].index("[")]
        return space + "".join(f"[{number}]" for number in dict.fromkeys(new))
