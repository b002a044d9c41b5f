"""Texts that are watched: what they are like always, what they mean where they are logged."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from flows.reference import NOT_LOGGED
from flows.seen import Seen
from flows.watch import watch
from tasks import settings
from tasks.sources.products import products, rows
from tasks.watching.log import Record, Writer, folder
from tests.flows.papers import moved_in, primed
from tests.flows.test_creative import Shop, house

__all__ = ["house"]  # fixture

pytestmark = pytest.mark.timeout(400)

ids = itertools.count()


@pytest.fixture(scope="module")
def weights(pytestconfig: pytest.Config) -> Path:
    """A data root with the embedding model."""
    assert pytestconfig.cache is not None
    return primed(pytestconfig.cache.mkdir("documents"), pytestconfig.cache.mkdir("minilm"))


def answer(house: Shop, found: list[dict[str, Any]], text: bool) -> Seen:
    """Log the champion's answers as its service would, and watch them."""
    champion = house.champion
    assert champion is not None
    served = house.served(champion)
    asking = [{name: one[name] for name in ("title", "category", "description")} for one in found]
    lines = [
        Record(
            "prediction", f"id{next(ids)}", house.name, str(champion), inputs=row if text else None, output=said,
            features=served.traits(row, "cut" in said), latency_ms=1.0,
        )
        for row, said in zip(asking, served.predict(asking), strict=True)
    ]  # fmt: skip
    writer = Writer(folder(settings.load().root, house.name), "one")
    writer.write(lines)
    writer.close()
    seen: Seen = watch(house.name)
    return seen


def some(seed: int, *categories: str) -> list[dict[str, Any]]:
    """So many products, of some categories alone."""
    found = (one.record() for one in products(4000, seed))
    return [*itertools.islice((one for one in found if not categories or one["category"] in categories), 520)]


def test_texts_that_are_not_logged_are_watched_by_their_facts(house: Shop) -> None:
    house.stock(rows(1400, 0))
    house.train()
    seen = answer(house, some(5), text=False)
    assert seen.window is not None and seen.window.verdict is not None and seen.window.notes == (NOT_LOGGED,)
    assert seen.window.verdict.enough and not seen.window.exceeds and seen.window.verdict.vectors == ()


@pytest.mark.slow
def test_other_products_of_the_same_length_are_seen_where_texts_are_logged(
    house: Shop, data_root: Path, weights: Path
) -> None:
    moved_in(data_root, weights)
    house.stock(rows(1400, 0))
    house.train()
    usual = answer(house, some(6), text=True)
    assert usual.window is not None and usual.window.verdict is not None and usual.window.notes == ()
    assert len(usual.window.verdict.vectors) == 1 and not usual.window.exceeds
    other = answer(house, some(7, "toys", "pets"), text=True)
    assert other.window is not None and other.window.exceeds and other.window.verdict is not None
    assert any(reason.startswith("embedding tells the sides apart") for reason in other.window.verdict.reasons)
    page = settings.load().root / "reports" / f"drift-{house.name}-{other.window.number}.html"
    assert "embedding tells the sides apart" in page.read_text()
