"""A fine-tuned encoder as ONNX: what is served, shown to say what torch says; int8 only where it is as good."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.creative.encoder import MODEL, TOKENIZER, EncoderScorer, Precision, read_about, tokenizer, write_about
from tasks.creative.fitting import Part, material
from tasks.creative.training import loaded
from tasks.errors import Refused
from tasks.language.apart import Tell, apart, cores
from tasks.language.base import weight_bytes
from tasks.retrieval.onnx import exported, quantized
from tasks.statistics import Interval
from tasks.tables.link import link
from tasks.tables.metrics import measure
from tasks.tables.specs import Subject
from tasks.tables.transform import Matrix

COMPARED = 64  # texts
NEAR = 1e-4  # the largest difference of a probability


class Order(BaseModel):
    model_config = ConfigDict(frozen=True)

    encoder: Artifact
    texts: Artifact
    split: Artifact
    subject: Subject
    precision: Precision
    metric: str


class Exported(BaseModel):
    """`artifact` (kind `weights`) is served. `difference`: of a probability to torch's at most; `note`: why it is not
    of the precision that was asked for."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    precision: Precision
    difference: float
    note: str | None = None


def export(
    encoder: Artifact, texts: Artifact, split: Artifact, subject: Subject, precision: Precision, metric: str
) -> Exported:
    """In a process of its own. Refused: ONNX does not say what torch says."""
    order = Order(encoder=encoder, texts=texts, split=split, subject=subject, precision=precision, metric=metric)
    return apart(exporting, order, Exported, cores(weight_bytes(encoder)))[0]


def exporting(order: Order, _tell: Tell) -> Exported:
    source = current().path(order.encoder)
    given = material(order.texts, order.split, order.subject).valid
    with tempfile.TemporaryDirectory() as name:
        wide, narrow = Path(name) / "fp32", Path(name) / "int8"
        about = read_about(source)
        for folder, precision in ((wide, "fp32"), (narrow, "int8")):
            folder.mkdir()
            shutil.copyfile(source / TOKENIZER, folder / TOKENIZER)
            write_about(folder, about.model_copy(update={"precision": precision}))
        model = loaded(source, "eager").eval()  # the exporter knows no other attention
        said = torch_says(model, source, given.texts[:COMPARED])
        first_alone(model)
        exported(model, wide / MODEL, "logits")
        difference = apart_by(wide, given, said)
        if difference > NEAR:
            raise Refused(f"The exported encoder differs from torch by {difference:.2g} in a probability.")
        if order.precision == "fp32":
            return Exported(artifact=_kept(wide), precision="fp32", difference=difference)
        quantized(wide / MODEL, narrow / MODEL)
        if note := worse(wide, narrow, given, order.metric):
            return Exported(artifact=_kept(wide), precision="fp32", difference=difference, note=note)
        return Exported(artifact=_kept(narrow), precision="int8", difference=apart_by(narrow, given, said))


def first_alone(model: Any) -> None:
    """The head reads the first token alone, so the last layer need not compute the others: an eighth of the work of six
    layers. Other layouts than BERT's stay as they are."""
    if model.config.model_type == "bert":
        attention = model.base_model.encoder.layer[-1].attention
        attention.self.register_forward_hook(lambda _module, _given, found: (found[0][:, :1], *found[1:]))
        attention.output.register_forward_pre_hook(lambda _module, given: (given[0], given[1][:, :1]))


def apart_by(folder: Path, part: Part, said: Matrix) -> float:
    """The largest difference of a probability."""
    return float(np.abs(link("binary", EncoderScorer(folder).log_odds(part.texts[: len(said)])) - said).max())


def worse(wide: Path, narrow: Path, part: Part, metric: str) -> str | None:
    """Why the narrow one is not served: its metric lies outside of the other's interval. None: it is as good."""
    known, found = (worth(folder, part, metric) for folder in (wide, narrow))
    if known.low <= found.value <= known.high:
        return None
    return f"int8 would have {metric} {found.value:.4g} on validation, outside of {known}: fp32 is kept"


def worth(folder: Path, part: Part, metric: str) -> Interval:
    return measure([metric], part.target, link("binary", EncoderScorer(folder).log_odds(part.texts))[:, None])[metric]


def _kept(folder: Path) -> Artifact:
    return current().put_folder("weights", folder)


def torch_says(model: Any, folder: Path, texts: list[str]) -> Matrix:
    """Probabilities one by one, so that nothing is padded."""
    import torch

    words = tokenizer(folder)
    with torch.inference_mode():
        logits = [model(input_ids=torch.tensor([words.encode(text).ids])).logits[0] for text in texts]
    return np.array([torch.softmax(one, 0)[1].item() for one in logits])
