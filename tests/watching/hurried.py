"""Logs numbered lines, ships and compacts all the time; prints each number when it is logged."""

import sys
import threading
import time
from itertools import count
from pathlib import Path

from tasks.artifacts import Store
from tasks.watching.compaction import compact
from tasks.watching.log import Record, Writer, folder
from tasks.watching.shipping import ship

root, turn = Path(sys.argv[1]), sys.argv[2]
store, replica = Store(root / "store"), "one"
writer = Writer(folder(root, "wine"), replica, segment_bytes=10_000)


def carry() -> None:
    while True:
        ship(store, root, "wine", replica)
        compact(store, "wine")


sys.stdout.write("ready\n")
sys.stdout.flush()
threading.Thread(target=carry, daemon=True).start()
for number in count():
    writer.write([Record("prediction", f"{turn}-{number}", "wine", "1", inputs={"a": "x" * 100})])
    sys.stdout.write(f"{turn}-{number}\n")
    sys.stdout.flush()
    time.sleep(0.0003)  # for the other thread
