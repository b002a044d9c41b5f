"""An order of kind `assistant`: documents or conversations, and what else the model depends on."""

from pathlib import Path
from typing import Any

from flows.documents_order import endpoint
from flows.orders import Prepared
from tasks.artifacts import canonical, folder_digest, sha256
from tasks.documents.corpus import corpus_state
from tasks.documents.tesseract import tesseract
from tasks.errors import BadInput
from tasks.language import conversations
from tasks.language.specs import AssistantRecipe
from tasks.settings import Settings
from tasks.sources.catalog import FolderSource, load_dataset
from tasks.sources.state import source_state

PACKAGED = "smollm2"  # the base that is a dataset of the catalog
TINY = "tiny"


class Lessons(Prepared):
    recipe: AssistantRecipe

    @property
    def documents(self) -> bool:
        """Whether the examples are made from documents."""
        return isinstance(self.dataset.source, FolderSource)

    def check(self, settings: Settings) -> None:
        if not self.documents:
            conversations.check_files(self.dataset, self.files)


def prepared(known: dict[str, Any], settings: Settings) -> Lessons:
    """What the order names. BadInput: data that is neither, or a base of the hub that no commit pins."""
    found = Lessons(**known)
    recipe, dataset, conditions = found.recipe, found.dataset, found.conditions
    if not found.documents and not dataset.chats:
        raise BadInput(
            f"{recipe.name} learns from a folder of documents or from conversations; {dataset.name} is neither. For "
            "chat data say `contract: conversations` in the dataset."
        )
    if on_hub(recipe) and recipe.revision is None:
        raise BadInput(
            f"The base {recipe.base} is neither {PACKAGED}, nor {TINY}, nor a folder: of a model on the hub name the "
            "commit, too, as `revision`."
        )
    if recipe.lora.accumulate % settings.gpus:
        raise BadInput(
            f"PENSTOCK_GPUS={settings.gpus} does not divide `lora.accumulate` ({recipe.lora.accumulate}) of "
            f"{recipe.name}: the GPUs share the batches of a step. Set it to a multiple, with a smaller `batch`."
        )
    read = corpus_state if found.documents else source_state
    age = () if found.documents else (settings.remote_age,)
    conditions["source"] = read(dataset, found.files, *age)
    conditions["surroundings"] = sha256(canonical(surroundings(found, settings)))
    return found


def on_hub(recipe: AssistantRecipe) -> bool:
    return recipe.base not in (PACKAGED, TINY) and not Path(recipe.base).expanduser().is_dir()


def surroundings(prepared: Lessons, settings: Settings) -> list[object]:
    """What an assistant depends on outside its recipe and data: embedding model, base, and who proposes examples."""
    recipe = prepared.recipe
    names = [recipe.embedding.dataset, PACKAGED if recipe.base == PACKAGED else None]
    models = [load_dataset(name, settings.folders) for name in names if name]
    states = [source_state(model, {}, settings.remote_age) for model in models]
    folder = Path(recipe.base).expanduser()
    local = folder_digest(folder) if recipe.base not in (PACKAGED, TINY) and folder.is_dir() else None
    reader = tesseract(recipe.pages) if prepared.documents else None
    told = [model.model_dump(mode="json") for model in models]
    asked = endpoint() if recipe.examples.model else None
    return [told, states, local, reader and reader.model_dump(mode="json"), asked]
