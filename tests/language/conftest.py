"""One tiny base, one fine-tuning, and what comes of it: made once, read by all tests of this room."""

from collections.abc import Iterator

import pytest

from tasks import artifacts
from tasks.artifacts import Store
from tasks.language import evaluation
from tasks.language.evaluation import Evaluation
from tasks.language.lora import Tuned, fine_tune
from tasks.language.merging import Merged, merge
from tests.language.room import LORA, Room, made


@pytest.fixture(scope="session")
def shared_room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return made(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="session")
def tuned(shared_room: Room) -> Tuned:
    """The undisturbed fine-tuning, in a process of its own."""
    with artifacts.opened(shared_room.root):
        return fine_tune(shared_room.base.artifact, shared_room.examples.artifact, LORA)


@pytest.fixture(scope="session")
def merged(shared_room: Room, tuned: Tuned) -> Merged:
    with artifacts.opened(shared_room.root):
        return merge(shared_room.base.artifact, tuned.adapter, shared_room.examples.artifact)


@pytest.fixture(scope="session")
def evaluations(shared_room: Room, merged: Merged) -> tuple[Evaluation, Evaluation]:
    """Of the base, asked here, and of the tuned model, asked in a process of its own."""
    base, examples = shared_room.base.artifact, shared_room.examples.artifact
    with artifacts.opened(shared_room.root):
        after = evaluation.evaluate(merged.artifact, examples, 40, 24)
        asked = evaluation.Asked(model=base, examples=examples, most=40, answer_tokens=24)
        scores = evaluation.ask(asked, lambda _fact: None).artifact
        metrics = evaluation.measured(evaluation.read_rows(scores), 24)
        return after.model_copy(update={"scores": scores, "metrics": metrics}), after


@pytest.fixture
def room(shared_room: Room) -> Iterator[Room]:
    """The room, its store open."""
    with artifacts.opened(shared_room.root):
        yield shared_room


@pytest.fixture
def room_store(room: Room) -> Store:
    return artifacts.current()
