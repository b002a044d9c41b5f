"""Fine-tuning as a step: the options are settled by the base, the work is done by a child, progress is shown."""

from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.language.apart import Cost, apart, cores
from tasks.language.base import weight_bytes
from tasks.language.options import LoraOptions
from tasks.language.showing import shown, sweep
from tasks.language.training import Learned, Order, train
from tasks.planning import closure


class Tuned(Learned):
    """What was learned, with which options, and what it took: of this run alone, where it went on from another."""

    options: LoraOptions
    cost: Cost


def fine_tune(base: Artifact, examples: Artifact, options: LoraOptions) -> Tuned:
    """The adapter of a base for these examples. A run that was killed goes on from its last whole checkpoint."""
    order = Order(base=base, examples=examples, options=options, work=work_of(base, examples, options))
    sweep(current().place("work"))
    with shown() as told:
        learned, cost = apart(train, order, Learned, cores(weight_bytes(base)), told, shared=True)
    current().remove(order.work)
    return Tuned(**learned.model_dump(), options=options, cost=cost)


def work_of(base: Artifact, examples: Artifact, options: LoraOptions) -> str:
    """The place of its checkpoints; what other code has left is not gone on from."""
    name = sha256(canonical([training_of(base, examples, options), closure("tasks.language.training")]))
    return f"work/lora-{name[:32]}"


def training_of(base: Artifact, examples: Artifact, options: LoraOptions) -> str:
    """What tells a training from others; `options` are settled."""
    return sha256(canonical([base.digest, examples.digest, options.model_dump(mode="json")]))
