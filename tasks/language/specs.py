"""The recipe of an assistant: its base, its examples, how it is tuned and served, and what it is held to."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tasks.documents.chunk_file import ChunkOptions
from tasks.documents.parsed import PageOptions
from tasks.language.options import ExampleOptions, LoraOptions, Tiny
from tasks.language.sampling import GenerationOptions
from tasks.registry.recipes import Budgets, Recipe
from tasks.retrieval.specs import Embedding

HIGH = ("exact_match", "f1", "rouge_l", "bleu", "refused", "stopped", "same_language")
LOW = ("perplexity", "looped", "leaked")
LICENCES = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc0-1.0")


class AssistantBudgets(Budgets):
    """Of the service, uncached: the median time to the first token at one client, tokens a second at one and at
    eight clients, and the most memory that it took."""

    first_token_ms: float | None = Field(default=None, gt=0)
    tokens_per_s: float | None = Field(default=None, gt=0)
    tokens_per_s_8: float | None = Field(default=None, gt=0)
    memory_mb: float | None = Field(default=None, gt=0)


class AssistantRecipe(Recipe):
    """One release of kind `assistant`.

    `base`: `smollm2`, `tiny`, a local folder, or the id of a model on the Hugging Face hub with its `revision`.
    `licences` of bases that may be used; `judged` examples of each part at most, `min_rows` at least."""

    rules = Recipe.rules | {"judged", "answer_tokens", "measure", "min_rows"}
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["assistant"]
    metric: Literal["perplexity", "exact_match", "f1"] = "perplexity"
    margin: float = Field(default=0.02, ge=0)
    base: str = "smollm2"
    revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    licence: str | None = None
    licences: tuple[str, ...] = LICENCES
    tiny: Tiny = Tiny()
    pages: PageOptions = PageOptions()
    chunks: ChunkOptions = ChunkOptions()
    embedding: Embedding = Embedding()
    examples: ExampleOptions = ExampleOptions()
    lora: LoraOptions = LoraOptions()
    generation: GenerationOptions = GenerationOptions()
    judged: int = Field(400, ge=10)
    answer_tokens: int = Field(64, ge=1)
    min_rows: int = Field(default=20, ge=2)
    budgets: AssistantBudgets = AssistantBudgets()
    measure: bool = True

    @model_validator(mode="after")
    def _known(self) -> Self:
        """A mistyped floor would be found only after everything was trained."""
        if unknown := sorted(self.floors.keys() - {*HIGH, *LOW}):
            raise ValueError(f"no metric {', '.join(unknown)}; floors take {', '.join((*HIGH, *LOW))}")
        budgets = self.budgets.model_dump(exclude_none=True).keys()
        if "latency_ms" in budgets or (not self.measure and budgets - {"size_mb"}):
            raise ValueError(
                "of an assistant's budgets `latency_ms` is not measured, and with `measure: false` none is"
            )
        if self.slices or self.slice_floors:
            raise ValueError("an assistant has no slices; leave out `slices` and `slice_floors`")
        return self
