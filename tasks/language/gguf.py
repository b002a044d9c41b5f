"""A GGUF file, as packages carry them, as a folder of safetensors: converted once."""

import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.language.apart import Tell, apart
from tasks.language.base import Base, kept

FILE = "model.gguf"


class Order(BaseModel):
    model_config = ConfigDict(frozen=True)

    file: Artifact
    name: str
    licence: str


def convert(file: Artifact, name: str, licence: str) -> Base:
    """The base in a GGUF file, in a process of its own: its weights are unpacked to float32."""
    base, cost = apart(converted, Order(file=file, name=name, licence=licence), Base)
    return base.model_copy(update={"cost": cost})


def converted(order: Order, _tell: Tell) -> Base:
    """transformers reads the file, but saves no model that it calls quantized: a new one takes its weights."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory() as raw, tempfile.TemporaryDirectory() as made:
        Path(raw, FILE).symlink_to(current().path(order.file).resolve())
        AutoTokenizer.from_pretrained(raw, gguf_file=FILE).save_pretrained(made)
        packed = AutoModelForCausalLM.from_pretrained(raw, gguf_file=FILE, dtype=torch.float32)
        config = packed.config.to_dict()
        config.pop("quantization_config", None)
        model = type(packed)(type(packed.config)(**config))
        model.load_state_dict(packed.state_dict())
        model.save_pretrained(made)
        return kept(Path(made), order.name, order.licence)
