"""Start and stop of a service: where its release comes from, following, heartbeats."""

import asyncio
import logging
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bentos.kit.desk import Desk
from bentos.kit.follow import Follower
from bentos.kit.handle import load, read_release
from tasks.errors import PenstockError
from tasks.registry.rest import Mlflow

logger = logging.getLogger("penstock")

BEAT_S = 5.0
SHIP_S = 5.0
LOOK_S = 1.0
NOTHING = (
    "nothing to serve: set PENSTOCK_RELEASE with PENSTOCK_FOLLOW=champion, or PENSTOCK_FOLDER, or serve a built bento"
)
GIVEN = "PENSTOCK_FOLLOW={} follows nothing, because PENSTOCK_FOLDER is served as it is: unset one of them"


@dataclass
class Lifecycle:
    """Runs what a desk needs in the background; never raises for a release that cannot be loaded.

    Bento starts and stops it twice, as a service's hook and as the mounted app's lifespan: it runs once."""

    desk: Desk[Any]
    follower: Follower | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    running: bool = False
    swapped: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        if self.running:
            return
        self.running = True
        config, reasons = self.desk.config, self.desk.reasons
        release = self._release() if config.follow and not config.folder else None
        if config.follow and release:
            await self._follow(release, config.follow)
        elif folder := config.folder or config.baked:
            await self._load(folder)
            if config.follow and config.folder:
                reasons["follow"] = GIVEN.format(config.follow)
        else:
            reasons["release"] = NOTHING
        self.desk.swapped.append(self.swapped.set)
        self.tasks += [asyncio.create_task(self._beat()), asyncio.create_task(self._ship())]
        if os.environ.get("BENTOML_RUNNER_MAP"):  # a worker of Bento's supervisor
            self.tasks.append(asyncio.create_task(self._outlived(os.getppid())))

    async def stop(self) -> None:
        if not self.running:
            return
        self.running = False
        tasks = [*self.tasks, *self.desk.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.tasks.clear()
        await self.desk.shadow.stop()
        if self.follower is not None:
            self.follower.registry.close()
        await asyncio.to_thread(self.desk.close)  # what waits for a server must not stop the last answers

    def _release(self) -> str | None:
        """What is followed: the release that is named, or the one that the bento holds."""
        config = self.desk.config
        if config.release or config.baked is None:
            return config.release
        try:
            return read_release(config.baked)[0].release
        except PenstockError:  # told when it is loaded
            return None

    async def _follow(self, release: str, alias: str) -> None:
        """The first look is awaited, so that a service answers as soon as it listens."""
        self.follower = follower = Follower(self.desk, Mlflow(self.desk.config.mlflow_url), release, alias)
        baked = self.desk.config.baked
        if baked is not None:
            follower.interface = read_release(baked)[0].interface()
        await follower.poll()
        if self.desk.handle is None and baked is not None:
            await self._load(baked)
            self.desk.reasons["baked"] = f"the baked version answers until {alias} can be followed"
        beside = (follower.look_for_challenger, follower.look_for_trial)
        self.tasks += [asyncio.create_task(work) for work in (follower.run(), *map(follower.run_beside, beside))]

    async def _load(self, folder: Path) -> None:
        """Serve a folder: a local one, or the one baked into the bento."""
        config, desk = self.desk.config, self.desk
        try:
            version = config.baked_version if folder == config.baked else f"local-{read_release(folder)[1][:8]}"
            desk.swap(await asyncio.to_thread(load, folder, version, desk.loader))
        except PenstockError as error:
            logger.error("%s", error)
            desk.reasons["release"] = str(error)

    async def _outlived(self, parent: int) -> None:
        """End with the supervisor: where it was killed, nobody would end or restart the worker, which holds the port.

        Asked and not signalled, because only Linux tells a process of its parent's death."""
        while os.getppid() == parent:
            await asyncio.sleep(LOOK_S)
        logger.error("the server's supervisor was killed: its worker ends")
        os.kill(os.getpid(), signal.SIGTERM)

    async def _beat(self) -> None:
        """Every few seconds, and as soon as another version answers."""
        while True:
            self.swapped.clear()
            await self.desk.beat()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self.swapped.wait()

    async def _ship(self) -> None:
        while True:
            await asyncio.sleep(SHIP_S)
            await self.desk.ship()
