"""What was taken out stays out: with many who ask, with a look that is overtaken, with a store that fails."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.rag import withheld
from bentos.rag.model import Facts, load_rag
from bentos.rag.withheld import Withheld
from tasks.artifacts import Store, sha256
from tasks.documents import uploads
from tasks.errors import Unavailable
from tests.bentos.rag.conftest import LAKE, Open, write_rag
from tests.bentos.rag.test_documents import send


class Looks(Desk[Any]):
    """Counts the looks into the store, and does `meanwhile` when one has its result and has not told it yet."""

    looks = 0
    meanwhile: Callable[[], None] | None = None

    async def apart(self, work: Any, *arguments: Any) -> Any:
        self.looks += 1
        told = await super().apart(work, *arguments)
        if self.meanwhile is not None:
            done, self.meanwhile = self.meanwhile, None
            done()
        return told


@dataclass(eq=False)
class Shelved:
    dataset: str = "papers"
    shelf: dict[str, Facts] = field(default_factory=dict)


@pytest.fixture
def desk(store: Store) -> Looks:
    return Looks(load_rag, Config(store=str(store.root)))


def shelved(*held: uploads.Upload) -> Any:
    return Shelved(shelf={one.path: Facts(one.name, one.tenant, one.digest) for one in held})


def test_many_who_ask_share_one_look(desk: Looks) -> None:
    async def asked() -> list[frozenset[str]]:
        known, model = Withheld(desk), shelved()
        return await asyncio.gather(*(known.paths(model) for _ in range(20)))

    assert asyncio.run(asked()) == [frozenset()] * 20
    assert desk.looks == 1


def test_a_look_that_began_before_a_deletion_does_not_undo_it(desk: Looks, store: Store) -> None:
    held = uploads.add(store, "papers", "a.txt", b"one")

    async def asked() -> list[frozenset[str]]:
        known, model = Withheld(desk), shelved(held)

        def deleted() -> None:
            uploads.delete(store, "papers", held.id, None)
            known.withdraw(held.path)

        desk.meanwhile = deleted
        return [await known.paths(model), await known.paths(model)]

    assert asyncio.run(asked()) == [frozenset({held.path})] * 2


def test_a_store_that_fails_leaves_what_was_known(desk: Looks, store: Store) -> None:
    held = [uploads.add(store, "papers", name, name.encode()) for name in ("a.txt", "b.txt")]
    uploads.delete(store, "papers", held[0].id, None)

    async def asked() -> list[frozenset[str]]:
        known, model = Withheld(desk), shelved(*held)
        found = [await known.paths(model)]
        store.write("forgotten/papers/0.json", b"{damaged")
        known.stale()
        found.append(await known.paths(model))
        known.withdraw(held[1].path)  # its own deletion holds, though it cannot be read again
        found.append(await known.paths(model))
        assert "cannot be read" in desk.readiness()[1]["reasons"][0]["message"]
        store.remove("forgotten/papers/0.json")
        known.stale()
        found.append(await known.paths(model))
        return found

    gone, both = frozenset({"uploads/shared/a.txt"}), frozenset({"uploads/shared/a.txt", "uploads/shared/b.txt"})
    assert asyncio.run(asked()) == [gone, gone, both, gone]
    assert desk.reasons == {}


def test_a_store_that_hangs_is_not_waited_for(desk: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withheld, "PATIENCE_S", 0.1)

    async def asked() -> float:
        known, model = Withheld(desk), shelved()
        await known.paths(model)
        desk.pool.submit(time.sleep, 1), desk.pool.submit(time.sleep, 1)  # what looks comes after these
        known.stale()
        began = time.monotonic()
        assert [await known.paths(model) for _ in range(20)] == [frozenset()] * 20
        took = time.monotonic() - began
        assert "did not answer" in desk.reasons["store"]
        return took

    assert asyncio.run(asked()) < 0.5


def test_what_was_never_known_is_not_guessed(desk: Looks, store: Store) -> None:
    store.write("forgotten/papers/0.json", b"{damaged")
    with pytest.raises(Unavailable, match="not known"):
        asyncio.run(Withheld(desk).paths(shelved()))


def test_a_damaged_record_fails_no_question(library: Open, data_root: Path) -> None:
    service = library()
    assert service.ask().status_code == 200
    Store(data_root / "store").write("uploads/library-guides/" + "0" * 32 + ".json", b"{damaged")
    send(service.client, "a.txt", b"makes the service look again")
    assert service.ask().status_code == 200


def test_another_document_of_that_name_does_not_bring_the_deleted_one_back(
    library: Open, data_root: Path, tmp_path: Path, weights_folder: Path
) -> None:
    taken = send(library().client, "lake.md", LAKE.encode()).json()
    extra = taken["path"], sha256(LAKE.encode())
    service = library(folder=write_rag(tmp_path / "with", data_root / "store", weights_folder, extra=extra))
    question = "Which lake of the valley holds trout?"
    assert service.ask(question).json()["citations"][0]["document"] == taken["path"]
    service.client.request("DELETE", f"/v1/documents/{taken['id']}")
    send(service.client, "lake.md", b"Another lake.")
    assert "trout" not in service.ask(question).text
    told = {one["path"]: one["status"] for one in service.client.get("/v1/documents").json()["documents"]}
    assert told[taken["path"]] == "pending"
    send(service.client, "lake.md", LAKE.encode())
    assert "trout" in service.ask(question).text
