"""Hot swap: ask where the alias points, load that version beside the one that serves, swap one reference."""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bentos.kit.desk import Desk
from bentos.kit.handle import Handle, load, read_release
from bentos.kit.split import Split
from tasks.errors import NotFound, PenstockError, Refused, Unavailable
from tasks.registry.rest import RELEASE_DIGEST, Mlflow, Terms, VersionInfo
from tasks.watching.log import folder

logger = logging.getLogger("penstock")

CHALLENGER, TRIAL = "challenger", "trial"
BESIDE_EVERY = 3  # polls of the followed alias per poll of the challenger's or the trial's
ADMITTED = ("champion", "staging", CHALLENGER, TRIAL)
SLOWEST_S = 30.0
KEPT_FOLDERS = 3
OUTSIDE = "alias outside ledger"


class Follower:
    """Keeps a desk on the version that an alias names, as far as the ledger admits it."""

    def __init__(self, desk: Desk[Any], registry: Mlflow, release: str, alias: str) -> None:
        self.desk, self.registry, self.release, self.alias = desk, registry, release, alias
        self.interface: tuple[Any, ...] | None = None
        self._spurned: dict[str, int] = {}
        self._hopeless = ""  # the ledger's entry of a split whose version cannot be loaded

    async def run(self) -> None:
        """Poll for ever; slower while the registry does not answer."""
        poll_s = self.desk.config.poll_s
        pause = poll_s
        while True:
            await asyncio.sleep(pause)
            pause = poll_s if await self.poll() else min(pause * 2, max(SLOWEST_S, poll_s))

    async def run_beside(self, look: Callable[[], Awaitable[None]]) -> None:
        """Challenger and trial in loops of their own: however long they load, the champion is followed meanwhile."""
        while True:
            try:
                await look()
            except Unavailable:
                pass  # told by the champion's loop
            except Exception:  # nothing about a version beside the champion may end the loop
                logger.exception("Following what stands beside the %s of %s failed", self.alias, self.release)
            await asyncio.sleep(self.desk.config.poll_s * BESIDE_EVERY)

    async def poll(self) -> bool:
        """One look; False where the registry could not be asked."""
        try:
            await self.look()
        except Exception as error:  # the one that serves must not depend on what the registry answers
            if not isinstance(error, PenstockError):
                logger.exception("Following %s of %s failed", self.alias, self.release)
            self.desk.reasons["registry"] = f"{self.alias} cannot be followed: {error}"
            return False
        self.desk.reasons.pop("registry", None)
        return True

    async def look(self) -> None:
        """Bring the desk to the version that the alias names, or say why not."""
        desk = self.desk
        named = await asyncio.to_thread(self.registry.alias, self.release, self.alias)
        if named is None:
            desk.reasons["alias"] = f"{self.release} has no {self.alias}; train it, or promote a version"
            return
        if desk.handle is not None and self._same(desk.handle, named):
            self._spurned.pop(self.alias, None)
            self._settled()
            return
        if self._spurned.get(self.alias) == named.version:
            return
        try:
            tried = self._tried(named)
            desk.swap(tried if tried is not None else await asyncio.to_thread(self.loaded, named, self.alias))
        except (Unavailable, NotFound):
            raise
        except PenstockError as error:
            self._refuse(named, self.alias, error)
            desk.reasons["alias"] = f"v{named.version} is not served: {error}"
            return
        desk.refused.pop((self.alias, str(named.version)), None)
        self._settled()

    def _same(self, handle: Handle[Any], named: VersionInfo) -> bool:
        return handle.version == str(named.version) and handle.digest == named.tags.get(RELEASE_DIGEST)

    def _settled(self) -> None:
        for reason in ("alias", "baked"):
            self.desk.reasons.pop(reason, None)

    async def look_for_challenger(self) -> None:
        """Run the version that the alias `challenger` names in the shadow, if there is one."""
        shadow = self.desk.shadow
        if self.desk.handle is None or "registry" in self.desk.reasons:
            return
        named = await asyncio.to_thread(self.registry.alias, self.release, CHALLENGER)
        if named is None:
            self._spurned.pop(CHALLENGER, None)
            await shadow.stop()
        elif self._spurned.get(CHALLENGER) != named.version and (shadow.died or shadow.version != str(named.version)):
            try:
                if shadow.died:
                    raise Refused("Its process ended; see the service's log, then set the alias again.")
                await self._start_challenger(named)
            except (Unavailable, NotFound):
                raise
            except PenstockError as error:
                await shadow.stop()
                self._refuse(named, CHALLENGER, error)

    async def _start_challenger(self, named: VersionInfo) -> None:
        where = await asyncio.to_thread(self._fetch, named, CHALLENGER)
        config, loader = self.desk.config, self.desk.loader
        name = f"{loader.__module__}:{loader.__qualname__}"
        log = folder(config.root, self.release)
        await self.desk.shadow.start(where, str(named.version), name, log, f"{config.replica}-shadow")

    async def look_for_trial(self) -> None:
        """Let the version that the alias `trial` names answer its share, for as long as the split lasts."""
        desk = self.desk
        if desk.split is not None and desk.split.over:
            desk.divide(None)
        if desk.handle is None or "registry" in desk.reasons:
            return
        named = await asyncio.to_thread(self.registry.alias, self.release, TRIAL)
        terms = self._in_force(named)
        if named is None or terms is None:
            desk.divide(None)
            outside = named is not None and not named.admitted(TRIAL)
            self._told_of_trial(f"{OUTSIDE}: it was moved by hand; run `split --off`" if outside else None)
        elif terms.entry != self._hopeless and (desk.split is None or desk.split.terms != terms):
            try:
                handle = await self._beside(named)
            except (Unavailable, NotFound):
                raise
            except PenstockError as error:
                desk.divide(None)
                self._hopeless = terms.entry
                self._refuse(named, TRIAL, error)
                self._told_of_trial(f"v{named.version} answers nothing of its share: {error}")
                return
            self._told_of_trial(None)
            desk.divide(Split(handle, terms))
            if self._in_force(named) is None:  # another version took over while this one was loaded
                desk.divide(None)

    async def _beside(self, named: VersionInfo) -> Handle[Any]:
        """The trial of before, where only its share is another one; else the version, loaded."""
        split = self.desk.split
        if split is not None and self._same(split.handle, named):
            return split.handle
        return await asyncio.to_thread(self.loaded, named, TRIAL)

    def _in_force(self, named: VersionInfo | None) -> Terms | None:
        """The terms of the split that the ledger put on the version, for as long as it is not over."""
        terms = named.terms(TRIAL) if named else None
        if terms is None or self.desk.handle is None or time.time() >= terms.until:
            return None
        return terms if terms.against == self.desk.handle.version else None

    def _tried(self, named: VersionInfo) -> Handle[Any] | None:
        """The trial, where it is what the followed alias names now: it is not loaded again."""
        split = self.desk.split
        if split is None or not self._same(split.handle, named) or not named.admitted(self.alias):
            return None
        split.handle.tags = named.tags
        return split.handle

    def _told_of_trial(self, reason: str | None) -> None:
        self.desk.reasons.pop(TRIAL, None)
        if reason is not None:
            self.desk.reasons[TRIAL] = reason

    def named(self, name: str) -> tuple[VersionInfo, str]:
        """The version that `challenger`, or a number such as `v3`, names, and the alias that the ledger had put on it.

        NotFound where there is none."""
        if name == CHALLENGER:
            found = self.registry.alias(self.release, name)
            if found is None:
                raise NotFound(f"{self.release} has no {name}; see `penstock shadow`.")
            return found, name
        found = self.registry.version(self.release, int(name.removeprefix("v")))
        return found, next((alias for alias in ADMITTED if found.admitted(alias)), self.alias)

    def loaded(self, named: VersionInfo, alias: str) -> Handle[Any]:
        """The version, fetched and checked. Refused where the ledger or its self-test forbids it."""
        handle = load(self._fetch(named, alias), str(named.version), self.desk.loader, named.tags)
        self.interface = self.interface or handle.release.interface()
        return handle

    def _fetch(self, named: VersionInfo, alias: str) -> Path:
        """The version's checked folder; Refused where the ledger or the schema forbids it."""
        if not named.admitted(alias):
            raise Refused(f"{OUTSIDE}: {alias} was moved to v{named.version} by hand; run `adopt` or `rollback`")
        where = self.desk.downloads(self.release, str(named.version))
        with suppress(FileNotFoundError):
            os.utime(where)  # asked for now: nobody else's pruning takes it
        self.registry.download(named, where)
        self._prune(where.parent)
        release, _ = read_release(where)
        if self.interface is not None and release.interface() != self.interface:
            raise Refused("its input or output schema differs from the one served; package it and start a new service")
        return where

    def _prune(self, served: Path) -> None:
        """Keep the folders that were asked for last, and those in use: what is gone can be fetched again."""
        desk = self.desk
        used = desk.lent | ({desk.handle.folder} if desk.handle else set())
        if desk.split is not None:
            used.add(desk.split.handle.folder)
        if desk.shadow.version:
            used.add(desk.downloads(self.release, desk.shadow.version))
        with suppress(FileNotFoundError):  # another worker prunes, too
            found = sorted(served.glob("v*"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
            for where in set(found[KEPT_FOLDERS:]) - used:
                shutil.rmtree(where, ignore_errors=True)

    def _refuse(self, named: VersionInfo, alias: str, error: PenstockError) -> None:
        """Remember it, so that it is not fetched at every poll; what the ledger may still admit is asked again."""
        self.desk.refuse(str(named.version), alias, str(error))
        if named.admitted(alias):
            self._spurned[alias] = named.version
