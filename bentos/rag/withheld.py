"""What was deleted or is to be forgotten while the index still holds it: no answer rests on it from now on."""

import time

from bentos.kit.desk import Desk
from bentos.rag.model import Rag
from tasks.artifacts import store_at
from tasks.documents import uploads

FRESH_S = 5.0  # until a deletion by another process is seen
Gone = tuple[frozenset[tuple[str, str]], uploads.Forgotten]


class Withheld:
    """Looks into the store now and then, in a thread; asked by the event loop."""

    def __init__(self, desk: Desk[Rag]) -> None:
        self.desk = desk
        self._gone: Gone = frozenset(), uploads.Forgotten()
        self._dataset = ""
        self._until = 0.0

    async def paths(self, model: Rag) -> frozenset[str]:
        """The indexed documents that nobody may see any more."""
        if self._dataset != model.dataset or time.monotonic() >= self._until:
            self._gone = await self.desk.apart(read, self.desk.config.store, model.dataset)
            self._dataset, self._until = model.dataset, time.monotonic() + FRESH_S
        deleted, forgotten = self._gone
        if not deleted and forgotten == uploads.Forgotten():
            return frozenset()
        shelf = model.shelf.items()
        return frozenset(
            path for path, one in shelf if (path, one.revision) in deleted or forgotten.holds(path, one.revision)
        )

    def stale(self) -> None:
        """Look again at the next question."""
        self._until = 0.0


def read(where: str, dataset: str) -> Gone:
    store = store_at(where)
    deleted = frozenset((one.path, one.digest) for one in uploads.deleted(store, dataset))
    return deleted, uploads.forgotten(store, dataset)
