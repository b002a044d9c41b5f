"""Five million logged rows: shipped, compacted, joined with labels, counted by version with all request ids written,
one of them forgotten; prints what was seen as JSON."""

import resource
import sys
import time
from itertools import pairwise
from pathlib import Path

import orjson

from tasks.artifacts import Store
from tasks.watching.compaction import compact
from tasks.watching.forgetting import find, remove
from tasks.watching.impact import count
from tasks.watching.log import Record, Writer, folder
from tasks.watching.parts import parts
from tasks.watching.shipping import ship_left
from tasks.watching.truth import joined, truth

ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000
ROW = {"fixed acidity": 7.4, "schema": 5, "colour": "red", "_bottled": "2024-03-31", "organic": True}
root = Path(sys.argv[1])
store, writer = Store(root / "store"), Writer(folder(root, "wine"), "one")
times = [time.monotonic()]


def lap() -> None:
    times.append(time.monotonic())


for start in range(0, ROWS, 1000):
    asked = [
        Record("prediction", f"{number:032x}", "wine", "1", inputs=ROW, output={"prediction": number / 7})
        for number in range(start, start + 1000)
    ]
    told = [Record("feedback", f"{number:032x}", "wine", "1", label=1.5) for number in range(start, start + 1000, 100)]
    writer.write([*asked, *told])
writer.close()
ship_left(store, root, "wine")
lap()
made = compact(store, "wine")
lap()
everything = parts(store, "wine")
batches = [
    (len(batch), len(batch) - batch["label"].null_count)
    for batch in joined(store, everything, truth(store, everything))
]
lap()
with (root / "ids").open("w") as file:
    counts = count(
        store, root, "wine", ["1"], None, lambda _release, _version, found: file.writelines(f"{one}\n" for one in found)
    )
lap()


def told(line: bytes) -> bool:
    return b'"prediction":1.0}' in line


forgotten = remove(store, "wine", find(store, "wine", told), told)
lap()
seen = {
    "counted": counts["1"].answers,
    "ids": sum(1 for _ in (root / "ids").open()),
    "forgotten": forgotten,
    "left": sum(part.rows for part in parts(store, "wine")),
    "rows": sum(part.kinds["prediction"] for part in made),
    "joined": sum(rows for rows, _ in batches),
    "labelled": sum(labels for _, labels in batches),
    "parts": len(made),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "seconds": [round(after - before, 1) for before, after in pairwise(times)],
}
sys.stdout.buffer.write(orjson.dumps(seen))
