"""A creative release as it is served: records in, JSON answers out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import orjson

from tasks.artifacts import Artifact, Store
from tasks.creative.classifier import Classifier
from tasks.creative.drafts import Drafts, drafted, facts_of
from tasks.creative.moving import Moved, moved
from tasks.creative.picking import Picker
from tasks.creative.texts import has_words
from tasks.creative.traits import VOCABULARY, traits
from tasks.errors import BadInput
from tasks.tables.schema import Field

Row = dict[str, Any]


class Served:
    """Loaded once, then read by any number of requests; nothing in it changes."""

    def __init__(
        self, release: dict[str, Any], classifier: Classifier, vocabulary: frozenset[str] | None = None
    ) -> None:
        self.classifier, self.vocabulary = classifier, vocabulary
        self.schema = [Field.model_validate(field) for field in release["input_schema"]]
        self.facts: dict[str, str] = release["facts"]
        self.personal = {field.name for field in self.schema if field.personal}

    @classmethod
    def load(cls, folder: Path, piece: Callable[[Artifact], Path], threads: int = 1) -> Self:
        """The release in `folder`; `piece` finds the model that it names. BadInput where it is not one."""
        try:
            release = orjson.loads((folder / "release.json").read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            raise BadInput(f"The folder {folder} has no readable release.json; name the folder of a release.") from None
        there = VOCABULARY in release["files"]
        known = frozenset((folder / VOCABULARY).read_text(encoding="utf-8").split()) if there else None
        return cls(release, Classifier.load(folder, piece, threads), known)

    def predict(self, rows: list[Row]) -> list[Row]:
        """Label and probability of each row, in order; `cut` names columns of which only the beginning was read.

        BadInput: a row without a word."""
        texts = [self.classifier.text(row) for row in rows]
        if (bare := next((place for place, text in enumerate(texts) if not has_words(text)), None)) is not None:
            columns = ", ".join(self.classifier.card.texts)
            where = f"Row {bare}" if len(rows) > 1 else "The record"
            raise BadInput(f"{where} has no word in {columns}: there is nothing to judge.")
        found = self.classifier.probabilities(texts).tolist() if rows else []
        classes = self.classifier.card.classes
        answers: list[Row] = [{"prediction": classes[int(score >= 0.5)], "probability": score} for score in found]
        for row, text, answer in zip(rows, texts, answers, strict=True):
            if cut := self.classifier.cut(row, text):
                answer["cut"] = cut
        return answers

    def traits(self, row: Row, cut: bool) -> Row:
        """Facts of a record, none of its personal fields."""
        return traits({name: row[name] for name in row if name not in self.personal}, cut, self.vocabulary)

    def moved(self, row: Row, probability: float) -> list[Moved]:
        """Which words moved the score."""
        return moved(self.classifier, self.classifier.text(row), probability)

    def drafts(self, row: Row, picker: Picker | None = None) -> Drafts | None:
        """By template unless a model picks; None where the recipe names no facts to speak of."""
        if not self.facts:
            return None
        facts = facts_of(row, self.facts)
        return picker.drafts(facts) if picker else drafted(facts)


@contextmanager
def answering(folder: Path, store: Store) -> Iterator[Callable[[Row], Any]]:
    """The release in `folder`, its model taken from the store, ready for golden requests."""
    served = Served.load(folder, store.path)
    yield lambda row: served.predict([row])[0]
