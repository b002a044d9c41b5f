"""Memory and time of a fine-tuning before it starts, and what to change where it does not fit."""

from typing import Any, Self

import psutil
from pydantic import BaseModel, ConfigDict

from tasks.errors import BadInput
from tasks.language.apart import Tell

LIBRARIES = 500e6  # bytes: Python, torch, transformers and peft
FLOATS = (14, 6)  # kept per token and layer: times the hidden and the inner size; measured on 135 M weights
CHECKPOINTED = 0.35  # of that is left with checkpointing; measured likewise
LOGITS = 3  # copies of the logits: as they are, in float32, and their gradient
SPARE = 0.9  # of the free memory


class Shape(BaseModel):
    """What memory depends on: the model's sizes, and the longest batch."""

    model_config = ConfigDict(frozen=True)

    weights: int
    layers: int
    hidden: int
    inner: int
    vocabulary: int
    batch: int
    tokens: int
    checkpointing: bool = False

    @classmethod
    def of(cls, model: Any, batch: int, longest: int, checkpointing: bool) -> Self:
        config = model.config
        hidden = config.hidden_size
        return cls(
            weights=sum(one.numel() * one.element_size() for one in model.parameters()),
            layers=config.num_hidden_layers,
            hidden=hidden,
            inner=getattr(config, "intermediate_size", 4 * hidden),
            vocabulary=config.vocab_size,
            batch=batch,
            tokens=longest,
            checkpointing=checkpointing,
        )

    @property
    def bytes(self) -> float:
        """Weights, what each layer keeps for the way back, and the logits; Adam's state of an adapter is small."""
        layer = 4 * (FLOATS[0] * self.hidden + FLOATS[1] * self.inner)
        kept = self.layers * layer * (CHECKPOINTED if self.checkpointing else 1)
        return LIBRARIES + self.weights + self.batch * self.tokens * (kept + LOGITS * 4 * self.vocabulary)


def check_memory(shape: Shape, tell: Tell, free: float | None = None) -> None:
    """Tell what is needed. BadInput: more than is free (of the main memory, unless `free` is a GPU's)."""
    free = float(psutil.virtual_memory().available) if free is None else free
    tell({"note": f"about {shape.bytes / 1e9:.1f} GB of memory at most, of {free / 1e9:.1f} GB that are free"})
    if shape.bytes <= SPARE * free:
        return
    less = shape.model_copy(update={"batch": max(1, shape.batch // 4)})
    careful = shape.model_copy(update={"checkpointing": True})
    raise BadInput(
        f"Fine-tuning needs about {shape.bytes / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free. In the "
        f"recipe, `batch: {less.batch}` with `accumulate: 4` would need {less.bytes / 1e9:.1f} GB, "
        f"`checkpointing: true` {careful.bytes / 1e9:.1f} GB; `max_tokens` bounds the longest example "
        f"({shape.tokens} tokens)."
    )


def free_memory() -> float | None:
    """Bytes that are free on the GPU; None without one."""
    import torch

    return float(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else None


def told(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
