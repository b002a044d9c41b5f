"""Fine-tuning of an encoder as a step; the work is done by a child."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.creative.specs import EncoderOptions
from tasks.creative.training import Learned, Order, train
from tasks.language.apart import Cost, apart, cores
from tasks.language.base import weight_bytes
from tasks.language.showing import shown, sweep
from tasks.planning import closure
from tasks.tables.specs import Subject

_left: ContextVar[float | None] = ContextVar("left", default=None)


class Tuned(Learned):
    """What was learned, with which options, and what it took: of this run alone, where it went on from another."""

    options: EncoderOptions
    cost: Cost


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Let nothing be started that would take longer; it is no part of a result."""
    token = _left.set(seconds)
    try:
        yield
    finally:
        _left.reset(token)


def tune(base: Artifact, texts: Artifact, split: Artifact, subject: Subject, options: EncoderOptions) -> Tuned:
    """`options` are settled. A run that was killed goes on from its last whole checkpoint.

    OverBudget: it would take longer than `within`."""
    named = training_of(base, texts, split, subject, options)
    work = f"work/encoder-{sha256(canonical([named, closure('tasks.creative.training')]))[:32]}"
    order = Order(base=base, texts=texts, split=split, subject=subject, options=options, work=work, seconds=_left.get())
    sweep(current().place("work"))
    with shown() as told:
        learned, cost = apart(train, order, Learned, cores(weight_bytes(base)), told)
    current().remove(work)
    return Tuned(**learned.model_dump(), options=options, cost=cost)


def training_of(base: Artifact, texts: Artifact, split: Artifact, subject: Subject, options: EncoderOptions) -> str:
    """What tells a training from others."""
    digests = [base.digest, texts.digest, split.digest]
    return sha256(canonical([digests, subject.model_dump(mode="json"), options.model_dump(mode="json")]))
