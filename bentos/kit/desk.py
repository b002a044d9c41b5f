"""The desk of a service: what its handlers share; one reference names the version that answers."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic

import orjson
from starlette.requests import Request

from bentos.kit.config import Config
from bentos.kit.errors import Problem
from bentos.kit.handle import Handle, Loader, M
from bentos.kit.metrics import Metrics
from bentos.kit.shadow import Shadow
from bentos.kit.split import Split
from tasks.artifacts import Store, store_at
from tasks.watching.log import Record, Writer, folder
from tasks.watching.privacy import Privacy, privacy_of
from tasks.watching.replicas import Heartbeat, beat, leave
from tasks.watching.shipping import ship

logger = logging.getLogger("penstock")

KEPT = 20  # refusals shown in /info
INLINE_RECORDS = 32  # more than this are written in a thread


@dataclass(frozen=True)
class Refusal:
    """A version that was not loaded, and why."""

    version: str
    alias: str
    reason: str
    time: float


class Desk(Generic[M]):
    """Written by the event loop only; handlers read `serving()` once per request."""

    def __init__(self, loader: Loader[M], config: Config) -> None:
        self.loader = loader
        self.config = config
        self.metrics = Metrics()
        self.handle: Handle[M] | None = None
        self.reasons: dict[str, str] = {}
        self.refused: dict[tuple[str, str], Refusal] = {}
        self.log: Writer | None = None
        self.privacy = Privacy({}, None)
        self.shadow = Shadow(self.metrics)
        self.split: Split[M] | None = None
        self.metrics.trial_failures.set_function(lambda: self.split.failures if self.split else 0)
        self.since = 0.0
        self.uploads: set[str] = set()  # paths whose body may be as large as a document
        self.heard: Callable[[Record], None] | None = None  # told of feedback, after it was logged
        self.lent: set[Path] = set()  # folders of versions that are open beside the one that serves
        self.vital: set[str] = set()  # codes of reasons for which nothing can be answered
        self.tasks: set[asyncio.Task[Any]] = set()  # cancelled when the service stops
        self.swapped: list[Callable[[], None]] = []  # called after another version took over
        self.ends: list[Callable[[], None]] = []  # called when the service stops, in a thread
        self.metrics.ready.set_function(lambda: self.readiness()[0] == 200)
        self.metrics.reasons.set_function(lambda: len(self.reasons))
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="penstock-log")
        self._written: Future[bytes] | None = None

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=self.config.threads, thread_name_prefix="penstock")

    @cached_property
    def waiting(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=self.config.threads, thread_name_prefix="penstock-waiting")

    def serving(self) -> Handle[M]:
        """The version that answers now: hold it as a context while answering."""
        if self.handle is None:
            why = "; ".join(self.reasons.values()) or "starting"
            raise Problem(503, f"The service is not ready: {why}.", headers={"Retry-After": "1"})
        return self.handle

    def answering(self, request: Request, opening: str = "") -> Handle[M]:
        """The version that answers this request; of a conversation `opening` is its first message."""
        if self.split is None:
            return self.serving()
        return self.split.chosen(request, opening) or self.serving()

    async def apart(self, work: Any, *arguments: Any) -> Any:
        """Run long work in a thread, so that short requests are answered meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work, *arguments)

    async def outside(self, work: Any, *arguments: Any) -> Any:
        """The same for what may wait long for another machine, such as a language model's: nothing else waits then."""
        return await asyncio.get_running_loop().run_in_executor(self.waiting, work, *arguments)

    def swap(self, handle: Handle[M]) -> None:
        """Let another version answer from the next request on; the old one ends with its last request."""
        old, self.handle = self.handle, handle
        self.divide(None)
        self.since = time.time()
        release = handle.release.release
        if self.log is None or old is None or old.release.release != release:
            self._open_log(release)
        self.privacy = privacy_of(handle.release.input_schema, self.config.pseudonym_key)
        self.metrics.serving(release, handle.version)
        logger.info("Serving %s v%s", release, handle.version)
        if old is None and "hash" in self.privacy.rules.values() and not self.privacy.key:
            logger.warning("Personal fields are dropped from the log, not hashed: PENSTOCK_PSEUDONYM_KEY is not set")
        if old is not None:
            self.metrics.swaps.inc()
            old.retire()
        for tell in self.swapped:
            tell()

    def _open_log(self, release: str) -> None:
        if self.log is not None:
            self.log.close()
        config = self.config
        self.log = Writer(folder(config.root, release), config.replica, segment_s=config.segment_s)

    def divide(self, split: Split[M] | None) -> None:
        """Let a trial answer a share of the requests from the next one on, or none."""
        old, self.split = self.split, split
        if split is not None:
            logger.info("v%s answers %g %% of the requests", split.handle.version, 100 * split.terms.share)
        if old is not None and old.handle not in (self.handle, split and split.handle):
            old.handle.retire()

    def refuse(self, version: str, alias: str, reason: str) -> None:
        if (alias, version) not in self.refused:
            logger.warning("Not loading v%s: %s", version, reason)
            self.metrics.refusals.inc()
        self.refused.pop((alias, version), None)
        self.refused[alias, version] = Refusal(version, alias, reason, time.time())
        if len(self.refused) > KEPT:
            del self.refused[next(iter(self.refused))]

    async def record(self, records: list[Record], asked: Sequence[Any] | None = None, shadowed: bool = True) -> None:
        """Log what was answered, without personal fields, and show it to the shadow; a full disk is a reason in
        /ready, never an error.

        `asked`, one for each, goes to the shadow in place of the inputs, where these must not be logged."""
        if self.log is None:
            return
        if self.privacy.rules and records[0].kind == "prediction":
            asked = [record.inputs for record in records] if asked is None else asked
            for record in records:
                self.privacy.hide(record)
        try:
            data = await self._write(self.log, records)
            self.reasons.pop("log", None)
        except OSError as error:
            self.metrics.log_lost.inc(len(records))
            self.reasons["log"] = f"the prediction log cannot be written: {error}"
            return
        if shadowed and self.shadow.open and records[0].kind == "prediction":
            self.shadow.offer(data if asked is None else private(records, asked), len(records))

    async def _write(self, log: Writer, records: list[Record]) -> bytes:
        """Few records at once; many in the log's own thread, and whatever comes while it writes queues behind them."""
        busy = self._written is not None and not self._written.done()
        if len(records) <= INLINE_RECORDS and not busy:
            return log.write(records)
        self._written = self._writer.submit(log.write, records)
        # a request that is given up must not take its records out of the queue
        return await asyncio.shield(asyncio.wrap_future(self._written))

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """Status and body of /ready: 503 only where nothing can answer."""
        known = self.reasons if self.reasons or self.handle else {"starting": "no version is loaded yet"}
        if self.split is not None and (failed := self.split.reason()):
            known = known | {"trial": failed}
        reasons = [{"code": code, "message": message} for code, message in known.items()]
        if self.handle is None or self.vital & self.reasons.keys():
            return 503, {"status": "not ready", "reasons": reasons}
        told = {"release": self.handle.release.release, "version": self.handle.version, "reasons": reasons}
        return 200, {"status": "degraded" if reasons else "ready", **told}

    def info(self) -> dict[str, Any]:
        handle = self.serving()
        return {
            "release": handle.release.release,
            "version": handle.version,
            "kind": handle.release.kind,
            "digest": handle.digest,
            "follow": self.config.follow,
            "lineage": handle.tags,
            "since": self.since,
            "refused": [vars(one) for one in self.refused.values()],
            "shadow": self.shadow.version,
            "split": self.split and {"version": self.split.handle.version, **self.split.terms.model_dump()},
            "replica": self.config.replica,
        }

    @cached_property
    def store(self) -> Store:
        return store_at(self.config.store)

    async def beat(self) -> None:
        """Leave a heartbeat in the artifact store."""
        if self.handle is None:
            return
        config, release, version = self.config, self.handle.release.release, self.handle.version
        told = Heartbeat(config.replica, release, version, config.url, time.time(), os.getpid())
        await self._stored("heartbeat", "the heartbeat cannot be written", lambda: beat(self.store, told))

    async def ship(self) -> None:
        """Close the log's segment if it is old, and bring what is closed, the challenger's too, to the store."""
        await self._stored("shipping", "the log stays on this machine, and is sent again", self._ship)

    def _ship(self) -> None:
        if self.log is None:
            return
        self.log.tick()
        for replica in (self.config.replica, shadow_of(self.config.replica)):
            ship(self.store, self.config.root, self.log.folder.parent.name, replica)

    async def _stored(self, code: str, trouble: str, work: Callable[[], object]) -> None:
        """In a thread: a slow store delays no request. What it refuses is a reason in /ready, never an error."""
        try:
            await asyncio.to_thread(work)
            self.reasons.pop(code, None)
        except Exception as error:  # a store's library raises what it likes, and requests are answered all the same
            self.reasons[code] = f"{trouble}: {error}"

    def close(self) -> None:
        for end in self.ends:
            end()
        if self.split is not None:
            self.split.handle.model.close()
        self._writer.shutdown()
        if self.log is not None:
            self.log.close()
        try:
            self._ship()
            leave(self.store, self.config.replica)
        except Exception as error:  # the same: what stays here is sent by the next service, or by the watch flow
            logger.warning("The artifact store took no leave of this service: %s", error)
        for pool in (self.pool, self.waiting):
            pool.shutdown(wait=False, cancel_futures=True)

    def downloads(self, release: str, version: str) -> Path:
        return self.config.root / "served" / release / f"v{version}"


def shadow_of(replica: str) -> str:
    """The replica under which a service's challenger logs."""
    return f"{replica}-shadow"


def private(records: list[Record], asked: Sequence[Any]) -> bytes:
    """Lines for the challenger with what it is asked beside the records, which are logged without it."""
    lines = (asdict(record) | {"ask": one} for record, one in zip(records, asked, strict=True))
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
