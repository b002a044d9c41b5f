"""The tiny base as a step: pretrained in a process of its own."""

from tasks.language.apart import apart
from tasks.language.base import Base
from tasks.language.options import Tiny
from tasks.language.tiny import Made, pretrain


def tiny(options: Tiny) -> Base:
    made, cost = apart(pretrain, options, Made)
    return Base(artifact=made.artifact, name="tiny", licence="apache-2.0", parameters=made.weights, cost=cost)
