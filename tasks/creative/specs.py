"""The recipe of a text classifier: which columns are its text, what a good one is, and which models compete."""

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.language.specs import LICENCES
from tasks.registry.recipes import Recipe
from tasks.retrieval.specs import Embedding
from tasks.tables.specs import METRICS, Label, SplitSpec, Strict, Subject

Family = Literal["tfidf", "embedding", "encoder"]
Fact = Literal["title", "category", "description", "price"]  # what a draft may speak of
FAMILIES: tuple[Family, ...] = ("tfidf", "embedding", "encoder")  # the cheaper one first
GOOD = "_good"  # the label that is made of a rating
TEXT, SAME = "_text", "_same"  # the text of a row, and what equal texts share


class Reading(Strict):
    """How a row becomes a text and a label: the columns of the text in order; a label, or a rating from `threshold` on.

    `positive` is the label whose probability is the score; of a rating that is reached it is true."""

    texts: tuple[str, ...] = Field(min_length=1)
    label: str | None = None
    rating: str | None = None
    threshold: float = 3.5

    @property
    def target(self) -> str:
        return self.label or GOOD


class EncoderOptions(BaseModel):
    """Fine-tuning of a whole encoder. `base`: `minilm` (packaged weights), a local folder, or the id of a model on the
    Hugging Face hub with its `revision`.

    Unset, `rate` is 1e-4 for a base of less than 200 MB, else 2e-5. `balanced`: each class weighs as much as the other.
    Training ends early after `patience` looks without a better loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = "minilm"
    licence: str | None = None
    revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    epochs: float = Field(3, gt=0)
    batch: int = Field(16, ge=1)
    accumulate: int = Field(1, ge=1)
    rate: float | None = Field(None, gt=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    max_tokens: int = Field(128, ge=8, le=512)
    checkpointing: bool = False
    patience: int = Field(3, ge=1)
    balanced: bool = False
    seed: int = 0

    def settled(self, weight_bytes: int) -> "EncoderOptions":
        """With the rate chosen for a base of this size."""
        return self.model_copy(update={"rate": self.rate or (1e-4 if weight_bytes < 200e6 else 2e-5)})


class CreativeRecipe(Recipe):
    """One release of kind `creative`.

    `candidates` compete on the validation part; the encoder only where it is expected to learn within `budget` minutes.
    `facts` names the columns that drafts may speak of, `licences` those of bases that may be used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["creative"] = "creative"
    metric: str = "auc"
    texts: tuple[str, ...] = Field(min_length=1)
    label: str | None = None
    positive: Label | None = None
    rating: str | None = None
    threshold: float = 3.5
    candidates: tuple[Family, ...] = Field(FAMILIES, min_length=1)
    budget: float | None = Field(None, gt=0)
    precision: Literal["fp32", "int8"] = "fp32"
    embedding: Embedding = Embedding()
    licences: tuple[str, ...] = LICENCES
    encoder: EncoderOptions = EncoderOptions()
    facts: dict[Fact, str] = Field(default_factory=dict)
    split: SplitSpec = SplitSpec()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.label is None) == (self.rating is None):
            raise ValueError("a text is judged by `label` or by `rating`: name one of them")
        if self.rating is not None and self.positive is not None:
            raise ValueError("`positive` is a label; a rating is good from `threshold` on")
        if self.label in self.texts or self.rating in self.texts:
            raise ValueError("what is to be learned stands in `texts`")
        known = METRICS["binary"]
        if unknown := {self.metric, *self.floors, *self.slice_floors} - set(known):
            raise ValueError(f"no metric {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        if self.slice_floors and not self.slices:
            raise ValueError("`slice_floors` hold for nothing without `slices`; name the columns there")
        return self

    @property
    def reading(self) -> Reading:
        """The view that the steps take that read the rows."""
        return Reading(texts=self.texts, label=self.label, rating=self.rating, threshold=self.threshold)

    def beside(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The columns by which two rows are not told apart: equal texts go into one part."""
        return (*columns, TEXT)

    def subject(self, time: str | None = None, group: str | None = None) -> Subject:
        """What the rooms of tables ask of a binary target; time and group are carried along."""
        named = [time, group, self.split.column]
        carried = tuple(dict.fromkeys(column for column in named if column and column != self.reading.target))
        positive = True if self.label is None else self.positive
        return Subject(
            target=self.reading.target, task="binary", positive=positive, carried=carried, min_rows=self.min_rows
        )
