"""The same fine-tuned encoder as fp32 and int8, and a classifier of embeddings beside it, each as a release folder."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tasks.artifacts import Artifact, canonical, current, file_sha256, sha256
from tasks.creative.bases import packaged
from tasks.creative.encoder import MODEL, read_about, write_about
from tasks.creative.exporting import export
from tasks.creative.fitting import fit_frozen, wrap_encoder
from tasks.creative.specs import EncoderOptions
from tasks.creative.tuning import tune
from tasks.errors import NotFound
from tasks.language.base import weight_bytes
from tasks.planning import closure
from tasks.retrieval.onnx import quantized
from tasks.settings import ROOT
from tasks.sources.catalog import load_dataset
from tasks.sources.fetch import fetch
from tests.creative.room import RECIPE, Room, released, room, table

ROWS = 800
DATA = ROOT / "data"
OPTIONS = EncoderOptions(epochs=1)


@dataclass(frozen=True)
class Releases:
    """Folders by name, and the encoder as transformers saved it."""

    folders: dict[str, Path]
    encoder: Path


def releases(embedding: Artifact) -> Releases:
    """Of the store that is open; the encoder is learned at the first call."""
    shop = room(table(ROWS))
    texts, split, subject = shop.texts.artifact, shop.split.artifact, shop.subject
    encoder = learned(shop)
    wide = export(encoder, texts, split, subject, "fp32", "auc").artifact
    models = {
        "fp32": wrap_encoder(texts, split, subject, RECIPE.texts, wide, {}),
        "int8": wrap_encoder(texts, split, subject, RECIPE.texts, narrow(wide), {}),
        "embedding": fit_frozen(texts, split, subject, RECIPE.texts, "auc", embedding),
    }
    return Releases(
        {name: current().path(released(model, shop)) for name, model in models.items()}, current().path(encoder)
    )


def learned(shop: Room) -> Artifact:
    """One epoch: speed does not depend on how much was learned."""
    given = [shop.texts.artifact.digest, shop.split.artifact.digest, OPTIONS.model_dump(mode="json")]
    code = closure("tasks.creative.training") | {__name__: file_sha256(Path(__file__))}
    name = f"synthetic/encoder-{sha256(canonical([given, code]))}.json"
    try:
        found = Artifact.model_validate_json(current().read(name))
        if current().whole(found):
            return found
    except NotFound:
        pass
    dataset = load_dataset("minilm", [DATA])
    base = packaged({file.part: file.artifact for file in fetch(dataset, {}).files}, "MiniLM", dataset.licence)
    options = OPTIONS.settled(weight_bytes(base.artifact))
    made = tune(base.artifact, shop.texts.artifact, shop.split.artifact, shop.subject, options).encoder
    current().write(name, made.model_dump_json().encode())
    return made


def narrow(wide: Artifact) -> Artifact:
    """In eight bits, whatever that does to its scores."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "int8"
        shutil.copytree(current().path(wide), place, ignore=shutil.ignore_patterns(MODEL))
        quantized(current().path(wide) / MODEL, place / MODEL)
        write_about(place, read_about(place).model_copy(update={"precision": "int8"}))
        return current().put_folder("weights", place)
