"""The recipe of a documents release: how it is read, cut, embedded, searched, answered from, and held to account."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.documents.chunk_file import ChunkOptions
from tasks.documents.parsed import PageOptions
from tasks.registry.recipes import Recipe
from tasks.retrieval.prompts import Prompt

METRICS = ("recall@1", "recall@5", "recall@10", "ndcg@10", "mrr@10")
ANSWERS = ("answered", "refused", "answer_words", "citation_precision")
JUDGED = ("faithfulness", "answer_relevance", "context_precision", "context_recall")


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Embedding(Part):
    """The model: weights of a catalog `dataset` (converted once), or any fastembed model by `name` from the hub."""

    dataset: str | None = "minilm"
    name: str = "sentence-transformers/all-MiniLM-L6-v2"
    precision: Literal["fp32", "int8"] = "fp32"


class SearchOptions(Part):
    """`prefetch` candidates each of dense and sparse, fused; `rerank` names a folder with a cross-encoder,
    which the flow copies into the store."""

    prefetch: int = Field(100, ge=1)
    top_k: int = Field(5, ge=1, le=50)
    rerank: str | None = None


class AnswerOptions(Part):
    """Who writes the answer; `threshold` below which it says that it is not in the documents (None: fitted).

    Of `prompt` those texts are named that differ from the project's."""

    generator: Literal["extractive", "openai"] = "extractive"
    model: str | None = None
    threshold: float | None = None
    prompt: Prompt = Prompt()


class DocumentsRecipe(Recipe):
    """One release of kind `documents`."""

    rules = Recipe.rules | {"canaries"}
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["documents"]
    metric: Literal["recall@1", "recall@5", "recall@10", "ndcg@10", "mrr@10"] = "ndcg@10"
    margin: float = Field(default=0.05, ge=0)
    golden: str | None = None
    embedding: Embedding = Embedding()
    pages: PageOptions = PageOptions()
    chunks: ChunkOptions = ChunkOptions()
    search: SearchOptions = SearchOptions()
    answers: AnswerOptions = AnswerOptions()
    images: bool = True
    canaries: bool = True

    @model_validator(mode="after")
    def _known(self) -> Self:
        """A mistyped floor would be found only after everything was embedded and asked."""
        for floors, known in ((self.floors, (*METRICS, *ANSWERS, *JUDGED)), (self.slice_floors, METRICS)):
            if unknown := sorted(floors.keys() - known):
                raise ValueError(f"no metric {', '.join(unknown)}; floors take {', '.join(known)}")
        if unknown := sorted(set(self.slices) - {"document"}):
            raise ValueError(f"`slices` name {', '.join(unknown)}; documents have the slice `document` only")
        return self
