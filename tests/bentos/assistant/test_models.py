"""Which models stay in memory as versions come and go."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bentos.assistant.model import Assistant, load_assistant
from bentos.assistant.models import Models
from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.handle import Handle, load
from tasks.language.engines import Closed, Engine, written
from tasks.language.sampling import Sampling
from tests.bentos.assistant.conftest import Models as Folders
from tests.bentos.assistant.conftest import write_assistant

BASE = "course-chat-base"


@pytest.fixture
def desk(data_root: Path, shipped: Path) -> Iterator[Desk[Assistant]]:
    shutil.copytree(shipped / "store", data_root / "store")
    desk = Desk(load_assistant, Config(root=data_root))
    yield desk
    desk.close()


def loaded(desk: Desk[Assistant], where: Path, models: Folders) -> Handle[Assistant]:
    folder = write_assistant(where, desk.config.root / "store", models, key=where.name)
    return load(folder, where.name, load_assistant)


def said(engine: Engine) -> int:
    return len(list(written(engine, "a", Sampling(2))))


def test_a_base_goes_over_to_the_next_version_and_ends_with_its_last_request(
    desk: Desk[Assistant], tmp_path: Path, models: Folders
) -> None:
    found = Models(desk, lambda: None)
    one, two = (loaded(desk, tmp_path / number, models) for number in "12")
    other = loaded(desk, tmp_path / "3", replace(models, base=models.tuned))

    async def check() -> None:
        desk.swap(one)
        old = await found.find(BASE, desk.serving)
        with old:
            desk.swap(two)
            new = await found.find(BASE, desk.serving)
            assert (old.version, new.version) == ("1-base", "2-base") and old.retired and not new.retired
            engine = new.model.engine
            assert engine is old.model.engine and desk.lent == {two.folder}
            desk.swap(other)
            assert new.retired and not desk.lent and said(engine)
        with pytest.raises(Closed):
            said(engine)
        last = await found.find(BASE, desk.serving)
        assert last.version == "3-base" and said(last.model.engine)

    asyncio.run(check())


def test_a_base_that_is_loaded_during_a_swap_is_the_new_versions(
    desk: Desk[Assistant], tmp_path: Path, models: Folders
) -> None:
    found = Models(desk, lambda: None)
    one, two = (loaded(desk, tmp_path / number, models) for number in "12")

    async def check() -> None:
        desk.swap(one)
        asked = asyncio.create_task(found.find(BASE, desk.serving))
        await asyncio.sleep(0)
        desk.swap(two)
        later, early = await found.find(BASE, desk.serving), await asked
        assert early.retired and later.version == "2-base" and not later.retired
        assert later.model.engine is early.model.engine and said(later.model.engine)

    asyncio.run(check())
