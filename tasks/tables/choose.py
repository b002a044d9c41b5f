"""Which of the trained models is offered: the best on the validation part, and only if it beats the baseline there."""

import json

from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.tables.metrics import higher_is_better
from tasks.tables.models import Card


class Choice(BaseModel, frozen=True):
    """The offered model, every score by family, and why it should be refused, if it should."""

    model: Artifact
    family: str
    metric: str
    scores: dict[str, float]
    refusal: str | None = None


def choose(candidates: list[Artifact], baseline: Artifact) -> Choice:
    """The better candidate by the metric that they were fitted for; ties go to the first."""
    cards = [_card(artifact) for artifact in candidates]
    floor = _card(baseline)
    sign = 1 if higher_is_better(floor.metric) else -1
    best = max(range(len(cards)), key=lambda place: sign * cards[place].validation)
    scores = {card.family: card.validation for card in (*cards, floor)}
    refusal = None
    if sign * cards[best].validation <= sign * floor.validation:
        refusal = (
            f"No model beats the baseline on the validation part: {floor.metric} {cards[best].validation:.4g} "
            f"({cards[best].family}) against {floor.validation:.4g}; the inputs say nothing about the target."
        )
    return Choice(
        model=candidates[best], family=cards[best].family, metric=floor.metric, scores=scores, refusal=refusal
    )


def _card(model: Artifact) -> Card:
    return Card.model_validate(json.loads((current().path(model) / "model.json").read_bytes()))
