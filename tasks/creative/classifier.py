"""A text classifier as it is trained, released and served: a card, and a scorer of one of three families.

Kept to numpy, tokenizers and ONNX Runtime: this is the service's request path."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.artifacts import Artifact
from tasks.creative.encoder import EncoderScorer
from tasks.creative.frozen import FrozenScorer
from tasks.creative.texts import pieces, rendered, too_long
from tasks.creative.tfidf import TfidfScorer
from tasks.errors import BadInput
from tasks.tables.link import link
from tasks.tables.specs import Label
from tasks.tables.transform import Matrix

CARD = "classifier.json"


class Scorer(Protocol):
    def log_odds(self, texts: Sequence[str]) -> Matrix:
        """Of the positive class [n], in the order of the texts."""
        ...

    def reach(self, text: str) -> int:
        """How many characters of it are read."""
        ...


class Card(BaseModel):
    """`classifier.json`. `model` is the large artifact behind it, where there is one; `slope` and `shift` calibrate the
    log-odds (Platt 1999), fitted on the validation part."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    schema_version: Literal[1] = 1
    family: Literal["tfidf", "embedding", "encoder"]
    texts: tuple[str, ...]
    classes: tuple[Label, Label]
    model: Artifact | None = None
    slope: float = 1.0
    shift: float = 0.0
    parameters: dict[str, Any] = {}


class Classifier:
    """Loaded once, then read by any number of requests; nothing in it changes."""

    def __init__(self, card: Card, scorer: Scorer) -> None:
        self.card, self.scorer = card, scorer

    @classmethod
    def load(cls, folder: Path, piece: Callable[[Artifact], Path], threads: int = 1) -> "Classifier":
        """The classifier in a folder; `piece` finds the large artifact that it names. BadInput: it is none."""
        try:
            card = Card.model_validate_json((folder / CARD).read_bytes())
        except (FileNotFoundError, ValidationError):
            raise BadInput(f"The folder {folder} has no readable {CARD}; train or fetch it again.") from None
        if card.family == "tfidf":
            return cls(card, TfidfScorer.load(folder))
        if card.model is None:
            raise BadInput(f"The {CARD} in {folder} names no model; train or fetch it again.")
        if card.family == "embedding":
            return cls(card, FrozenScorer.load(folder, piece(card.model), card.model.digest, threads))
        return cls(card, EncoderScorer(piece(card.model), threads))

    def text(self, record: Mapping[str, Any]) -> str:
        return rendered(record, self.card.texts)

    def cut(self, record: Mapping[str, Any], text: str) -> list[str]:
        """The columns of which the end is not read; `text` is the record's."""
        reach, ends = self.scorer.reach(text), 0
        if reach == len(text) and not any(too_long(record.get(column)) for column in self.card.texts):
            return []
        parts = pieces(record, self.card.texts)
        found = []
        for column, part in parts.items():
            ends += len(part)
            if ends > reach or too_long(record[column]):
                found.append(column)
            ends += 1  # the blank between two
        return found

    def probabilities(self, texts: Sequence[str]) -> Matrix:
        """Of the positive class [n], calibrated, in the order of the texts."""
        return link("binary", self.card.slope * self.scorer.log_odds(texts) + self.card.shift)
