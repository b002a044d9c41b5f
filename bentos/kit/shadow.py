"""The challenger in a process of its own, at the lowest priority: it reads what was asked and logs what it would say.

The champion only copies its log lines into a pipe; what does not fit is dropped and counted.
"""

import asyncio
import os
import sys
from pathlib import Path

import orjson

from bentos.kit.metrics import Metrics
from tasks.errors import Refused

QUEUE_BYTES = 1 << 20
START_S = 120.0


class Shadow:
    """Runs at most one challenger."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.version: str | None = None
        self.open = False
        self._process: asyncio.subprocess.Process | None = None

    def offer(self, lines: bytes, count: int) -> None:
        """Copy log lines to the challenger, if it keeps up."""
        pipe = self._process.stdin if self._process else None
        if pipe is None or pipe.is_closing() or pipe.transport.get_write_buffer_size() > QUEUE_BYTES:
            self.metrics.shadow_dropped.inc(count)
            return
        pipe.write(lines)

    async def start(self, folder: Path, version: str, loader: str, where: Path, replica: str) -> None:
        """Load a version beside the champion; Refused where its own self-test fails."""
        await self.stop()
        arguments = [loader, str(folder), version, str(where), replica]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bentos.kit.challenger", *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                told = await process.stdout.readline()
        except TimeoutError:
            await self.stop()
            raise Refused(f"The challenger v{version} did not load within {START_S:g} s.") from None
        reason = orjson.loads(told)["refused"] if told else "its process ended; see the service's log"
        if reason:
            await self.stop()
            raise Refused(reason)
        self.version, self.open = version, True

    async def stop(self) -> None:
        """End the challenger: it leaves when its input ends, or is ended after a moment."""
        process, self._process = self._process, None
        self.version, self.open = None, False
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            async with asyncio.timeout(2):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    @property
    def died(self) -> bool:
        return self._process is not None and self._process.returncode is not None
