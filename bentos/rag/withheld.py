"""What was deleted or is to be forgotten while the index still holds it: no answer rests on it from now on."""

import asyncio
import logging
import time
from typing import NamedTuple
from weakref import WeakKeyDictionary

from bentos.kit.desk import Desk
from bentos.rag.model import Rag
from tasks.artifacts import store_at
from tasks.documents import uploads
from tasks.errors import Unavailable

logger = logging.getLogger("penstock")

FRESH_S = 5.0  # until a deletion by another process is seen
PATIENCE_S = 1.0  # that a question waits for a store that does not answer
CODE = "store"


class Gone(NamedTuple):
    withdrawn: uploads.Withdrawn = uploads.Withdrawn()
    forgotten: uploads.Forgotten = uploads.Forgotten()

    def holds(self, path: str, digest: str) -> bool:
        return self.withdrawn.holds(path, digest) or self.forgotten.holds(path, digest)


class Withheld:
    """Looks into the store now and then, one look for all who ask; where that fails, what it saw last holds on.

    Asked by the event loop alone."""

    def __init__(self, desk: Desk[Rag]) -> None:
        self.desk = desk
        self._gone: Gone | None = None
        self._dataset = ""
        self._until = 0.0
        self._changes = 0  # a look that began before the last of them is worth nothing
        self._look: asyncio.Task[None] | None = None
        self._told: WeakKeyDictionary[Rag, tuple[Gone, frozenset[str]]] = WeakKeyDictionary()

    async def paths(self, model: Rag) -> frozenset[str]:
        """The indexed documents that nobody may see any more; Unavailable where that was never known."""
        if self._dataset != model.dataset:
            self._dataset, self._gone = model.dataset, None
            self.stale()
        if time.monotonic() >= self._until:
            await self._looked()
        if self._gone is None:
            raise Unavailable(f"Which documents were deleted is not known: {self.desk.reasons.get(CODE, 'ask again')}.")
        told = self._told.get(model)
        if told is None or told[0] is not self._gone:
            gone = frozenset(path for path, one in model.shelf.items() if self._gone.holds(path, one.revision))
            self._told[model] = told = self._gone, gone
        return told[1]

    def stale(self) -> None:
        """Look again at the next question."""
        self._changes += 1
        self._until = 0.0

    def withdraw(self, path: str) -> None:
        """Taken out by this very process: that holds even if the store cannot be read any more."""
        if self._gone is not None:
            self._gone = self._gone._replace(withdrawn=self._gone.withdrawn.also(path))
        self.stale()

    async def _looked(self) -> None:
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._read())
            self.desk.tasks.add(self._look)
            self._look.add_done_callback(self.desk.tasks.discard)
        _, late = await asyncio.wait({self._look}, timeout=PATIENCE_S)
        if late:
            self._failed(f"it did not answer within {PATIENCE_S:g} s")

    async def _read(self) -> None:
        try:
            changes = -1
            while changes != self._changes:
                changes = self._changes
                gone = await self.desk.apart(read, self.desk.config.store, self._dataset)
        except Exception as error:  # each kind of store has errors of its own, and a record may be damaged
            self._failed(f"{type(error).__name__}: {error}")
            return
        self._gone, self._until = gone, time.monotonic() + FRESH_S
        self.desk.reasons.pop(CODE, None)

    def _failed(self, why: str) -> None:
        if CODE not in self.desk.reasons:
            logger.warning("The artifact store cannot be read: %s", why)
        self.desk.reasons[CODE] = f"the artifact store cannot be read ({why})"
        if self._gone is not None:
            self._until = time.monotonic() + FRESH_S


def read(where: str, dataset: str) -> Gone:
    store = store_at(where)
    return Gone(uploads.withdrawn(store, dataset), uploads.forgotten(store, dataset))
