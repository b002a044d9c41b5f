"""The load generator: keep-alive HTTP over raw asyncio, in a process of its own.

Reads one JSON job on stdin, writes one JSON result on stdout: latencies in ms, requests per second, failures.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import uvloop


def request(path: str, body: str) -> bytes:
    data = body.encode()
    fields = f"host: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(data)}"
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + data


async def answer(reader: asyncio.StreamReader) -> int:
    """Read one response; its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
    return status


async def client(port: int, messages: Iterator[bytes], until: float, times: list[float]) -> int:
    """One client that asks again as soon as it is answered; the number of answers other than 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    failed = 0
    while (started := time.perf_counter()) < until:
        writer.write(next(messages))
        failed += await answer(reader) != 200
        times.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()
    return failed


async def load(port: int, path: str, body: str | list[str], clients: int, seconds: float) -> dict[str, Any]:
    """Of several bodies each has its turn."""
    times: list[float] = []
    started = time.perf_counter()
    bodies = [body] if isinstance(body, str) else body
    messages = cycle([request(path, one) for one in bodies])
    failed = await asyncio.gather(*(client(port, messages, started + seconds, times) for _ in range(clients)))
    took = time.perf_counter() - started
    times.sort()
    at = {f"p{share}": times[min(len(times) - 1, len(times) * share // 100)] * 1000 for share in (50, 95, 99)}
    return {"requests": len(times), "failed": sum(failed), "rps": len(times) / took, **at}


if __name__ == "__main__":
    json.dump(uvloop.run(load(**json.load(sys.stdin))), sys.stdout)
