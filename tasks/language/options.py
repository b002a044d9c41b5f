"""What a recipe says of the making of an assistant: its examples, the tiny base, the fine-tuning."""

from pydantic import BaseModel, ConfigDict, Field

from tasks.language.wordings import REFUSAL


class LoraOptions(BaseModel):
    """Low-rank adaptation (Hu et al. 2021) of every linear layer: `alpha` is twice the rank unless stated.

    `batch` times `accumulate` examples make a step. Unset: `rate`, `epochs` and `batch` are 3e-3, 10 and 16 for a base
    of less than 8 MB, else 1e-3, 3 and 8. Training ends early after `patience` looks without a better loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(16, ge=1, le=256)
    alpha: int | None = Field(None, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    rate: float | None = Field(None, gt=0)
    epochs: float | None = Field(None, gt=0)
    batch: int | None = Field(None, ge=1)
    accumulate: int = Field(1, ge=1)
    max_tokens: int = Field(512, ge=16)
    checkpointing: bool = False
    patience: int = Field(3, ge=1)
    seed: int = 0

    def settled(self, weight_bytes: int) -> "LoraOptions":
        """With everything that was left open chosen for a base of this size."""
        small = weight_bytes < 8 << 20
        chosen = {"rate": 3e-3 if small else 1e-3, "epochs": 10.0 if small else 3.0, "batch": 16 if small else 8}
        left = {name: value for name, value in chosen.items() if getattr(self, name) is None}
        return self.model_copy(update={"alpha": self.alpha or 2 * self.rank} | left)


class ExampleOptions(BaseModel):
    """`wordings` of a fact that are trained, of which there are four; `facts` at most; `refusal`: the answer to what
    the documents do not say. `model`, at OPENAI_BASE_URL, proposes so many facts of `each` chunk beside the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wordings: int = Field(4, ge=1, le=4)
    facts: int = Field(2000, ge=10)
    refusal: str = REFUSAL
    model: str | None = None
    each: int = Field(3, ge=1)


class Tiny(BaseModel):
    """Its shape and its pretraining: `steps` of `batch` rows of `length` tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: int = 96
    layers: int = 2
    heads: int = 4
    inner: int = 256
    context: int = 512
    vocabulary: int = 1024
    courses: int = 60
    strange: int = 60
    steps: int = 300
    batch: int = 24
    length: int = 128
    rate: float = 5e-3
    seed: int = 0
