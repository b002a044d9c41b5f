"""The models that a client may name: the version that serves, the base it was tuned from, and others by setting.

All but the first are loaded when they are first asked for; of these, few stay."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bentos.assistant.model import Assistant, base_version, load_base, same_base
from bentos.kit.desk import Desk
from bentos.kit.errors import Problem
from bentos.kit.follow import Follower
from bentos.kit.handle import Handle
from tasks.errors import NotFound, PenstockError
from tasks.registry.rest import VersionInfo

CHAMPION, BASE = "champion", "base"
BESIDE = 2  # models that stay loaded beside the one that serves
FRESH_S = 5.0  # for which it is believed where an alias points


class Models:
    """Asked by the event loop alone."""

    def __init__(self, desk: Desk[Assistant], follower: Callable[[], Follower | None]) -> None:
        self.desk, self._follower = desk, follower
        self._open: dict[str, Handle[Assistant]] = {}  # by version, the one that was asked for last at the end
        self._opening: dict[str, asyncio.Task[Handle[Assistant]]] = {}
        self._known: dict[str, tuple[float, tuple[VersionInfo, str]]] = {}
        self._one = asyncio.Lock()
        desk.ends.append(self._close)
        desk.swapped.append(self._tidy)

    async def listed(self) -> dict[str, str]:
        """The versions that answer, by the names of their models; the one that serves is the first."""
        handle = self.desk.serving()
        release = handle.release.release
        found = {release: handle.version}
        for name in self._offered(handle):
            try:
                version = base_version(handle) if name == BASE else str((await self._named(name))[0].version)
            except PenstockError:  # no such version, or nobody can say now
                continue
            found[f"{release}-{name}"] = version
        return found

    def knows(self, wanted: str) -> bool:
        handle = self.desk.serving()
        release = handle.release.release
        return wanted in (release, *(f"{release}-{name}" for name in self._offered(handle)))

    async def find(self, wanted: str, answering: Callable[[], Handle[Assistant]]) -> Handle[Assistant]:
        """The version behind a model's name; behind the release's own that which is `answering`.

        Problem 404 where there is none; what forbids to load it otherwise."""
        handle = self.desk.serving()
        release = handle.release.release
        if not self.knows(wanted):
            raise unknown(wanted)
        if wanted == release:
            return answering()
        name = wanted.removeprefix(f"{release}-")
        if name == BASE:
            return await self._opened(base_version(handle), partial(load_base, handle))
        named, alias = await self._named(name)
        follower = self._follower()
        assert follower is not None
        if str(named.version) == handle.version:
            return handle
        return await self._opened(str(named.version), partial(follower.loaded, named, alias))

    def _offered(self, handle: Handle[Assistant]) -> list[str]:
        """By setting, as far as they can be: another engine has no base, a folder no other versions."""
        if not handle.model.local:
            return []
        offered = [BASE] if BASE in self.desk.config.models else []
        others = [one for one in self.desk.config.models if one not in (BASE, CHAMPION)]
        return offered + (others if self._follower() else [])

    async def _named(self, name: str) -> tuple[VersionInfo, str]:
        follower = self._follower()
        assert follower is not None
        until, known = self._known.get(name, (0.0, None))
        if known is None or time.monotonic() >= until:
            try:
                known = await asyncio.to_thread(follower.named, name)
            except NotFound:
                self._known.pop(name, None)
                self._tidy()
                raise
            self._known[name] = time.monotonic() + FRESH_S, known
        return known

    async def _opened(self, version: str, load: Callable[[], Handle[Assistant]]) -> Handle[Assistant]:
        if version in self._open:
            self._open[version] = handle = self._open.pop(version)
            return handle
        task = self._opening.get(version)
        if task is None:
            self._opening[version] = task = asyncio.create_task(self._load(version, load))
            self.desk.tasks.add(task)
            task.add_done_callback(partial(self._done, version))
        return await asyncio.shield(task)  # whoever asked may leave: what is loaded is kept for the next

    async def _load(self, version: str, load: Callable[[], Handle[Assistant]]) -> Handle[Assistant]:
        async with self._one:
            handle = self._open.get(version)  # of a base, which it may have become meanwhile
            if handle is None:
                self._open[version] = handle = await asyncio.to_thread(load)
                self._tidy()
        return handle

    def _tidy(self) -> None:
        """End what nobody can name any more, and what was not asked for longest where too much is open."""
        serving = self.desk.serving()
        named = {str(found.version) for _, (found, _) in self._known.values()} - {serving.version}
        named.add(base_version(serving))
        for version, old in list(self._open.items()):
            if version in named:
                continue
            if version.endswith(f"-{BASE}") and same_weights(old, serving) and base_version(serving) not in self._open:
                self._open[base_version(serving)] = same_base(old, serving)
            self._end(version)
        while len(self._open) > BESIDE:
            self._end(next(iter(self._open)))
        self.desk.lent = {handle.folder for handle in self._open.values()}

    def _end(self, version: str) -> None:
        self._open.pop(version).retire()

    def _done(self, version: str, task: asyncio.Task[Any]) -> None:
        del self._opening[version]
        self.desk.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever waits for it

    def _close(self) -> None:
        for handle in self._open.values():
            handle.model.close()
        if self.desk.handle is not None:
            self.desk.handle.model.close()


def same_weights(base: Handle[Assistant], handle: Handle[Assistant]) -> bool:
    """Whether the base of another version has the weights of this version's."""
    return base.model.release.base.digest == handle.model.release.base.digest


def unknown(wanted: str) -> Problem:
    return Problem(404, f"There is no model {wanted!r}; see /v1/models.", "model_not_found")
