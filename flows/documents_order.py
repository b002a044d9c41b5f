"""An order of kind `documents`: a folder, the questions asked of it, and what else its index depends on."""

import os
from pathlib import Path
from typing import Any

from flows.orders import Prepared
from tasks.artifacts import canonical, folder_digest, sha256
from tasks.documents.corpus import corpus_state
from tasks.documents.tesseract import tesseract
from tasks.errors import BadInput
from tasks.retrieval.golden import load_golden
from tasks.retrieval.specs import AnswerOptions, DocumentsRecipe
from tasks.settings import Settings
from tasks.sources.catalog import load_dataset, masked
from tasks.sources.state import source_state
from tasks.sources.yamls import find


class Papers(Prepared):
    recipe: DocumentsRecipe

    def check(self, settings: Settings) -> None:
        if self.recipe.golden:
            load_golden(self.recipe.golden, settings.folders)


def prepared(known: dict[str, Any], settings: Settings) -> Papers:
    """What the order names. BadInput: a seed, which an index has no use for; a cross-encoder that is not there."""
    recipe, conditions = known["recipe"], known["conditions"]
    if known["order"].seed is not None:
        raise BadInput(f"{recipe.name} is of kind documents, where nothing is drawn by chance: leave out --seed.")
    if recipe.search.rerank and not Path(recipe.search.rerank).is_dir():
        raise BadInput(f"The cross-encoder {recipe.search.rerank} of {recipe.name} is no folder; see `search.rerank`.")
    conditions["source"] = corpus_state(known["dataset"], known["files"])
    conditions["surroundings"] = sha256(canonical(surroundings(recipe, settings)))
    if recipe.golden:
        conditions["golden questions"] = sha256(find("golden", recipe.golden, settings.folders).read_bytes())
    return Papers(**known)


def surroundings(recipe: DocumentsRecipe, settings: Settings) -> list[object]:
    """What a documents release depends on outside its recipe and folder: the embedding model, a judge, a server, the
    address of a language model, a cross-encoder."""
    model = load_dataset(recipe.embedding.dataset, settings.folders) if recipe.embedding.dataset else None
    state = source_state(model, {}, settings.remote_age) if model else None
    judge = [settings.judge, settings.judge_ragas, settings.judge_embeddings]
    asked = endpoint() if settings.judge else endpoint_of(recipe.answers)
    cross = recipe.search.rerank and folder_digest(Path(recipe.search.rerank))
    read = [one and one.model_dump(mode="json") for one in (model, tesseract(recipe.pages))]
    return [read, state, judge, settings.qdrant and settings.qdrant[0], asked, cross]


def endpoint_of(answers: AnswerOptions) -> str:
    """The address of the language model that answers; none where the answers are extractive."""
    return endpoint() if answers.generator == "openai" else ""


def endpoint() -> str:
    """OpenAI's own, unless the native variable names another."""
    return masked(os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1")
