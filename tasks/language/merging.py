"""The adapter merged into its base: what a service loads, shown to say what base and adapter say together."""

import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.errors import Refused
from tasks.language.adapter import with_adapter
from tasks.language.apart import Cost, Tell, apart, cores
from tasks.language.base import KEPT, load, weight_bytes
from tasks.language.chats import judged
from tasks.language.rendering import Chat

COMPARED = 16  # prompts
NEAR = 1e-2  # the largest difference of a logit: merging rounds each weight once


class Order(BaseModel):
    model_config = ConfigDict(frozen=True)

    base: Artifact
    adapter: Artifact
    examples: Artifact


class Merging(BaseModel):
    """`difference` of the logits at most, on `prompts` judged prompts; `agreement`: the share of equal first tokens."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    difference: float
    agreement: float
    prompts: int


class Merged(Merging):
    cost: Cost


def merge(base: Artifact, adapter: Artifact, examples: Artifact) -> Merged:
    """The merged model, in a process of its own. Refused: it does not say what base and adapter say."""
    order = Order(base=base, adapter=adapter, examples=examples)
    made, cost = apart(merging, order, Merging, cores(weight_bytes(base)))
    return Merged(**made.model_dump(), cost=cost)


def merging(order: Order, _tell: Tell) -> Merging:
    folder = current().path(order.base)
    chat = Chat(folder)
    prompts = [chat.prompt(one.asked)[-chat.context :] for one in judged(order.examples)[:COMPARED]]
    adapted = with_adapter(order.base, order.adapter)
    before = [logits(adapted, prompt) for prompt in prompts]
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        try:
            adapted.merge_and_unload(safe_merge=True).save_pretrained(where)
        except ValueError as error:
            raise Refused(f"The adapter cannot be merged ({error}); train again with a lower `lora.rate`.") from None
        for file in KEPT:
            if (folder / file).is_file():
                shutil.copyfile(folder / file, where / file)
        after = [logits(model, prompt) for model in [load(where)] for prompt in prompts]
        largest = max(float((one - other).abs().max()) for one, other in zip(before, after, strict=True))
        same = [int(one.argmax()) == int(other.argmax()) for one, other in zip(before, after, strict=True)]
        if not math.isfinite(largest):
            raise Refused("Base and adapter give logits that are no numbers; train again with a lower `lora.rate`.")
        if largest > NEAR and not all(same):
            raise Refused(
                f"The merged model differs from base and adapter by up to {largest:.3g} in a logit, and chooses "
                f"another token in {same.count(False)} of {len(same)} prompts; merge in float32."
            )
        artifact = current().put_folder("models", where)
    return Merging(artifact=artifact, difference=largest, agreement=sum(same) / len(same), prompts=len(prompts))


def logits(model: Any, prompt: list[int]) -> Any:
    """Of the next token."""
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([prompt], device=model.device)).logits[0, -1].float().cpu()
