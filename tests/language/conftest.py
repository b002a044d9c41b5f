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
    """Of the base, and of the tuned model."""
    examples = shared_room.examples.artifact
    with artifacts.opened(shared_room.root):
        before, after = (
            evaluation.evaluate(one, examples, 40, 24) for one in (shared_room.base.artifact, merged.artifact)
        )
        return before, after


@pytest.fixture
def room(shared_room: Room) -> Iterator[Room]:
    """The room, its store open."""
    with artifacts.opened(shared_room.root):
        yield shared_room


@pytest.fixture
def room_store(room: Room) -> Store:
    return artifacts.current()
