"""What answers need and do not get, as reasons in /ready: the index on its server, the language model on another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bentos.kit.desk import Desk
from bentos.kit.handle import Handle
from bentos.rag.model import Rag
from tasks.errors import PenstockError, Refused, Unavailable

INDEX, MODEL = "index", "generator"
AGAIN_S = 2.0


class Health:
    """Without its index the service is not ready: nobody would ask it then, so it looks itself whether that is back."""

    def __init__(self, desk: Desk[Rag]) -> None:
        self.desk = desk
        desk.vital.add(INDEX)

    @asynccontextmanager
    async def watched(self, handle: Handle[Rag], *well: str) -> AsyncIterator[None]:
        """Around an answer: what fails it becomes a reason; one that succeeds proves that `well` is well.

        A trial's failures are told elsewhere: the champion answers then."""
        if handle is not self.desk.handle:
            yield
            return
        try:
            yield
        except (Unavailable, Refused) as error:
            if not await self._reached(handle.model):
                self._look_again()
            elif MODEL in well:
                self.desk.reasons[MODEL] = str(error)
            raise
        for code in well:
            self.desk.reasons.pop(code, None)

    async def _reached(self, model: Rag) -> bool:
        try:
            await self.desk.apart(model.reach)
        except PenstockError as error:
            self.desk.reasons[INDEX] = str(error)
            return False
        return True

    def _look_again(self) -> None:
        if not any(task.get_name() == INDEX for task in self.desk.tasks):
            task = asyncio.create_task(self._until_back(), name=INDEX)
            self.desk.tasks.add(task)
            task.add_done_callback(self.desk.tasks.discard)

    async def _until_back(self) -> None:
        while INDEX in self.desk.reasons:
            await asyncio.sleep(AGAIN_S)
            with self.desk.serving() as handle:
                if await self._reached(handle.model):
                    self.desk.reasons.pop(INDEX, None)
