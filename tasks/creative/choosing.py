"""Which of the competing models is offered: the best on the validation part, or a cheaper one that ties with it."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact
from tasks.creative.specs import Family
from tasks.statistics import Interval
from tasks.tables.evaluation import Scored, scored
from tasks.tables.metrics import difference, measure
from tasks.tables.specs import Subject


class Choice(BaseModel):
    """The offered model, what each is worth on the validation part, and in words why; `refusal`: no model is worth
    it."""

    model_config = ConfigDict(frozen=True)

    family: Family
    metric: str
    worth: dict[Family, Interval]
    why: str
    refusal: str | None = None


def choose(
    scores: Mapping[Family, Artifact], constant: Artifact, texts: Artifact, subject: Subject, metric: str
) -> Choice:
    """`scores` by family, the cheaper one first; a tie is a difference whose 95 % interval holds 0. What does not beat
    the share of the classes ties with nothing."""
    sides = {name: scored(one, texts, subject, "valid") for name, one in scores.items()}
    floor = scored(constant, texts, subject, "valid")
    worth = {
        name: measure([metric], side.target, side.predictions, side.groups)[metric] for name, side in sides.items()
    }

    def gap(one: Scored, other: Scored) -> Interval:
        return difference(metric, one.target, one.predictions, other.predictions, one.groups)

    leads = {name: gap(side, floor) for name, side in sides.items()}
    best = max(leads, key=lambda name: leads[name].value)
    ties = {name: gap(sides[best], side) for name, side in sides.items() if name != best}
    worthy = [name for name in sides if leads[name].value > 0]  # a tie with what knows nothing says only: few rows
    picked = next((name for name in worthy if name == best or ties[name].low <= 0), best)
    if picked != best:
        why = f"{picked} is the cheapest that ties with {best}, whose lead of {ties[picked]} {metric} may be chance"
    elif ties:
        nearest = min(ties, key=lambda name: ties[name].value)
        why = f"{best} is the best, before {nearest} by {ties[nearest]} {metric}"
    else:
        why = f"{best} is the only one"
    lead = leads[picked]
    refusal = None
    if lead.value <= 0:
        refusal = (
            f"No model beats the share of the classes on the validation part: {picked} differs by {lead} {metric}; the "
            "texts say nothing about the label."
        )
    return Choice(family=picked, metric=metric, worth=worth, why=why, refusal=refusal)
