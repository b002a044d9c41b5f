"""A project with a small catalogue of courses, and an assistant that is tuned on it."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from flows import assistant
from flows.assistant_order import Lessons
from flows.orders import Order, prepare
from tasks import settings
from tasks.artifacts import opened
from tasks.language.town import COLUMNS, courses, names
from tests.flows.papers import Shelf, moved_in

RECIPE = {
    "kind": "assistant",
    "dataset": "lectures",
    "base": "tiny",
    "tiny": {"courses": 24, "strange": 12, "steps": 250, "batch": 12},
    "lora": {"epochs": 20, "rate": 5e-3},
    "floors": {"exact_match": 0.5},
    "judged": 60,
    "answer_tokens": 24,
    "measure": False,
}
TOWN = 6  # courses of the catalogue


class Lectures(Shelf):
    """A house whose documents are two pages of a catalogue."""

    flow = assistant

    def furnish(self) -> None:
        self.put("datasets/lectures.yaml", {"title": "Lectures", "licence": "CC0-1.0", "source": self.source()})
        self.recipe()
        for number in (0, 1):
            self.page(number)

    def recipe(self, **fields: Any) -> None:
        self.put(f"releases/{self.name}.yaml", RECIPE | fields)

    def page(self, number: int, seed: int = 3) -> None:
        """Half of the courses as a table; another seed tells other facts of them."""
        some = names()[number * TOWN // 2 : (number + 1) * TOWN // 2]
        rows = [[one.name, *one.facts.values()] for one in courses(some, seed + number)]
        table = [["course", *COLUMNS], ["---"] * (1 + len(COLUMNS)), *rows]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
        self.paper(f"lectures-{number}.md").write_text(f"# Lectures {number}\n\n## Courses\n\n{lines}\n")


def taught(cache: Path, ready: Path) -> Path:
    """A data root that has what `ready` has and what a first training of the untouched lectures makes; kept between
    sessions. Its results are found by their keys, so that an edited step makes them again here, once."""
    if not (cache / "store").is_dir():
        moved_in(cache, ready)
    house = Lectures(cache / "project", "taught", "", "")
    house.furnish()
    own = settings.load().model_copy(update={"project": house.project, "data_root": cache})
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: cache / "records"}):
        teach(Order(release="taught"), own)
    return cache


@flow(name="teach")
def teach(order: Order, own: settings.Settings) -> None:
    with opened(own.store):
        prepared = prepare(order, own)
        assert isinstance(prepared, Lessons)
        assistant.make(prepared, own)
