"""A built creative release, as it will be served: its size, and the CPU time of a prediction."""

from tasks.artifacts import Artifact, current
from tasks.creative.classifier import CARD, Card
from tasks.creative.served import Served
from tasks.registry.budgets import latency_check, size_check
from tasks.registry.gate import Check
from tasks.registry.recipes import Recipe
from tasks.sources.frames import read_table
from tasks.tables.fairness import Ground, tested

ROWS = 50


def built(recipe: Recipe, release: Artifact, ground: Ground) -> list[Check]:
    """On real records of the test part."""
    folder = current().path(release)
    card = Card.model_validate_json((folder / CARD).read_bytes())
    served = Served.load(folder, current().path)
    records = read_table(ground.table, list(card.texts)).take(tested(ground, ROWS)).to_pylist()
    parts = [folder, *([current().path(card.model)] if card.model else [])]
    return [
        *size_check("release", parts, recipe.budgets),
        *latency_check("prediction", lambda record: served.predict([record]), records, recipe.budgets),
    ]
