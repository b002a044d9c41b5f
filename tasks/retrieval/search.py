"""A question to hits: embedded, searched in both ways, fused, and read again by a cross-encoder where one is named."""

from pathlib import Path
from typing import Any

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput, Refused
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.specs import SearchOptions
from tasks.retrieval.store import Filters, Hit, Index

RERANKED = 20  # hits that a cross-encoder reads: each costs it as much as embedding a chunk


class Searcher:
    """An index with the model that its vectors were made by, and the folder of a cross-encoder, where hits are read
    again; threads may share it."""

    def __init__(
        self, index: Index, embedder: Embedder, options: SearchOptions, cross: Path | None = None, threads: int = 1
    ) -> None:
        if (index.model, index.dim) != (embedder.digest, embedder.dim):
            raise Refused(
                f"The index was made with the model {index.model[:12]} ({index.dim} numbers), not with "
                f"{embedder.digest[:12]} ({embedder.dim}); load the weights of the index, or train again."
            )
        self.index, self.embedder, self.options = index, embedder, options
        self._cross = cross_encoder(cross, threads) if cross else None

    @property
    def rereads(self) -> bool:
        """Whether the order of hits is a cross-encoder's, which has the last word."""
        return self._cross is not None

    def search(self, query: str, top_k: int | None = None, filters: Filters | None = None) -> list[Hit]:
        """The best `top_k` chunks that `filters` let the asker see; the recipe's number where none is given.

        BadInput where the query is empty or a day of the filters is none; Unavailable where a Qdrant server does not
        answer, Refused where it does not take the key."""
        if not query.strip():
            raise BadInput("The question is empty; write what you want to know.")
        wanted = top_k or self.options.top_k
        limit = max(wanted, RERANKED) if self._cross else wanted
        vector = self.embedder.query(query)
        hits = self.index.search(vector, query, filters or Filters(), limit, self.options.prefetch)
        return self._reread(query, hits)[:wanted]

    def _reread(self, query: str, hits: list[Hit]) -> list[Hit]:
        if self._cross is None or not hits:
            return hits
        scores = [
            float(score) for score in self._cross.rerank(query, [hit.chunk.embedded for hit in hits], batch_size=1)
        ]
        scored = [hit.model_copy(update={"score": score}) for hit, score in zip(hits, scores, strict=True)]
        return sorted(scored, key=lambda hit: -hit.score)


def keep_cross_encoder(folder: str) -> Artifact:
    """The folder that a recipe names, copied into the store: no release rests on a path of one machine."""
    if not (Path(folder) / "model.onnx").is_file():
        raise BadInput(
            f"There is no cross-encoder in {folder} (model.onnx and its tokenizer files); put one there, or take "
            "`rerank` out of the recipe's `search`."
        )
    return current().put_folder("rerankers", Path(folder))


def cross_encoder(folder: Path, threads: int) -> Any:
    """fastembed's reader of (question, text) pairs out of a local folder with model.onnx and a tokenizer."""
    from fastembed.common.model_description import ModelSource
    from fastembed.rerank.cross_encoder import TextCrossEncoder

    name = f"local/{folder.resolve()}"
    if name.lower() not in {model["model"].lower() for model in TextCrossEncoder.list_supported_models()}:
        TextCrossEncoder.add_custom_model(model=name, sources=ModelSource(hf=name), model_file="model.onnx")
    return TextCrossEncoder(name, specific_model_path=str(folder), threads=threads, cuda=False)
