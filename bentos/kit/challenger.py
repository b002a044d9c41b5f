"""The challenger's process: `python -m bentos.kit.challenger LOADER FOLDER VERSION LOG REPLICA`, log lines on stdin."""

import os
import pkgutil
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import orjson

from bentos.kit.config import loading
from bentos.kit.handle import Handle, Served, load
from tasks.errors import PenstockError
from tasks.watching.log import Record, Writer
from tasks.watching.privacy import Privacy, privacy_of

LOWEST = 19
TICK_S = 1.0


def main(loader: str, folder: str, version: str, where: str, replica: str) -> None:
    os.nice(LOWEST)
    try:
        handle = load(Path(folder), version, pkgutil.resolve_name(loader))
    except PenstockError as error:
        tell(str(error))
        return
    tell("")
    os.dup2(2, 1)  # nobody reads the pipe from here on: whoever prints into it would stand still when it is full
    settings = loading()
    privacy = privacy_of(handle.release.input_schema, settings.pseudonym_bytes)
    writer = Writer(Path(where), replica, segment_s=settings.log_segment_s)
    threading.Thread(target=tend, args=(writer,), daemon=True).start()
    follow(handle, writer, privacy, sys.stdin.buffer)
    writer.close()


def tend(writer: Writer) -> None:
    """Close old segments, which the service takes to the store: also where nothing is asked."""
    while True:
        time.sleep(TICK_S)
        writer.tick()


def tell(refused: str) -> None:
    """Say to the service whether the version was loaded."""
    sys.stdout.buffer.write(orjson.dumps({"refused": refused}, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.flush()


def follow(handle: Handle[Served], writer: Writer, privacy: Privacy, lines: Iterable[bytes]) -> None:
    """Answer each logged request as the challenger would, and log it under the same request id."""
    for text in lines:
        if not text.endswith(b"\n"):
            return
        told = orjson.loads(text)
        request = told.pop("ask", told["inputs"])
        asked = Record(**told)
        started = time.perf_counter()
        try:
            output = handle.model.answer(request)
        except PenstockError as error:
            output = {"error": str(error)}
        took = (time.perf_counter() - started) * 1000
        told_of = privacy.output(output) if privacy.rules else output
        writer.write([replace(asked, kind="shadow", version=handle.version, output=told_of, latency_ms=took)])


if __name__ == "__main__":
    main(*sys.argv[1:])
