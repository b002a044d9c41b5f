"""Fine-tunings that are killed, or run out of memory or disk: what is left is whole, and what comes of it the same."""

import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import Unavailable
from tasks.language.adapter import WEIGHTS
from tasks.language.chats import Example, Message
from tasks.language.checkpoints import LIST, number, whole
from tasks.language.examples import stored
from tasks.language.lora import Tuned, fine_tune, work_of
from tasks.language.options import LoraOptions
from tasks.language.showing import heard_by
from tasks.language.training import Order, train
from tests.bentos.test_follow import until
from tests.language.room import LORA, ROOT, Room, children, ended

PARENT = """
import os
import signal
import sys
from tasks.artifacts import Artifact, opened
from tasks.language.lora import fine_tune
from tasks.language.showing import heard_by
from tests.language.room import LORA, children

def heard(step, metrics):
    if step >= int(sys.argv[4]):
        print(children()[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

with opened(sys.argv[1]), heard_by(heard):
    fine_tune(*(Artifact.model_validate_json(one) for one in sys.argv[2:4]), LORA)
"""


@pytest.fixture
def place(shared_room: Room, store: Store) -> Store:
    """A store of the test's own, with the base and the examples of the room."""
    for kind in ("bases", "examples"):
        shutil.copytree(shared_room.root / kind, store.root / kind)
    return store


def place_of(store: Store, room: Room, options: LoraOptions = LORA) -> Path:
    return store.place(work_of(room.base.artifact, room.examples.artifact, options))


def sealed(work: Path) -> list[Path]:
    """The checkpoints that have a list."""
    return [path.parent for path in sorted(work.glob(f"checkpoint-*/{LIST}"), key=lambda path: number(path.parent))]


def when_sealed(work: Path, strike: Callable[[psutil.Process], None]) -> Callable[[int, dict[str, float]], None]:
    """Strike the child once, as soon as there is a checkpoint."""
    struck: list[int] = []

    def heard(_step: int, _metrics: dict[str, float]) -> None:
        if not struck and sealed(work):
            (child,) = children()
            struck.append(child.pid)
            strike(child)

    return heard


def test_whatever_is_killed_the_adapter_is_that_of_an_undisturbed_run(
    shared_room: Room, place: Store, tuned: Tuned
) -> None:
    """First the child, then the parent alone; the third run ends, from where the second was."""
    base, examples = shared_room.base.artifact, shared_room.examples.artifact
    work = place_of(place, shared_room)
    with heard_by(when_sealed(work, psutil.Process.kill)), pytest.raises(Unavailable, match="it was killed"):
        fine_tune(base, examples, LORA)
    first = sealed(work)[-1]
    assert children() == [] and number(first) < tuned.steps

    later = number(first) * 2 + 1
    line = [sys.executable, "-c", PARENT, place.address, base.model_dump_json(), examples.model_dump_json(), str(later)]
    done = subprocess.run(line, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    until(lambda: ended(int(done.stdout)), 20)
    assert number(sealed(work)[-1]) > number(first)
    (work / "checkpoint-9999").mkdir()  # as a kill in the midst of a save leaves it

    steps: list[int] = []
    with heard_by(lambda step, _metrics: steps.append(step)):
        again = fine_tune(base, examples, LORA)
    assert steps[0] > number(first)
    assert (again.adapter, again.curve, again.steps) == (tuned.adapter, tuned.curve, tuned.steps)
    assert not work.exists()


@pytest.mark.parametrize("room_left", [6000, 12_000])
def test_a_disk_that_is_full_while_a_checkpoint_is_saved_costs_no_more_than_that_one(
    shared_room: Room, place: Store, room_left: int
) -> None:
    """No file can grow beyond so many bytes: the weights meet it, or the optimizer's state."""
    options = LORA.model_copy(update={"epochs": 2.0, "rank": 4})
    base, examples = shared_room.base.artifact, shared_room.examples.artifact
    work = place_of(place, shared_room, options)

    def filled(child: psutil.Process) -> None:
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (room_left, resource.RLIM_INFINITY))

    with (
        heard_by(when_sealed(work, filled)),
        pytest.raises(Unavailable, match=r"cannot be written .*Free some space and run again"),
    ):
        fine_tune(base, examples, options)
    kept, broken = sorted(work.glob("checkpoint-*"), key=number)
    assert whole(kept) and not whole(broken)
    told: list[dict[str, Any]] = []
    order = Order(base=base, examples=examples, options=options, work=work.relative_to(place.root).as_posix())
    assert train(order, told.append).steps == 2 * number(kept)
    assert {"note": f"goes on from {kept.name}, which an earlier run left"} in told
    assert min(fact["step"] for fact in told if "step" in fact) == number(kept) + 1


def test_memory_that_runs_out_is_told_with_what_to_change(
    shared_room: Room, place: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """A limit on the child, as soon as it has timed one batch, that one batch of all examples goes beyond."""
    answer = "Alpine " * 40
    messages = (Message(role="user", content="Where?"), Message(role="assistant", content=answer))
    some = [Example(id=str(place), messages=messages, fact=str(place)) for place in range(1500)]
    examples: Artifact = stored(some, 1500).artifact

    class Limit(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "batches" in record.getMessage():
                (child,) = children()
                most = child.memory_info().vms + (50 << 20)
                resource.prlimit(child.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

    logger, limit = logging.getLogger("penstock.language"), Limit()
    logger.addHandler(limit)
    try:
        with (
            caplog.at_level(logging.INFO, "penstock.language"),
            pytest.raises(Unavailable, match=r"train needs more memory than there is .*smaller batch.*`max_tokens`"),
        ):
            fine_tune(shared_room.base.artifact, examples, LORA.model_copy(update={"batch": 1500}))
    finally:
        logger.removeHandler(limit)
    assert not list((place.root / "work").rglob(WEIGHTS))
