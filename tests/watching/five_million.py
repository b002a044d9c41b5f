"""Five million logged rows, shipped, compacted and joined with labels; prints what was seen as JSON."""

import resource
import sys
import time
from itertools import pairwise
from pathlib import Path

import orjson

from tasks.artifacts import Store
from tasks.watching.compaction import compact
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
seen = {
    "rows": sum(part.kinds["prediction"] for part in made),
    "joined": sum(rows for rows, _ in batches),
    "labelled": sum(labels for _, labels in batches),
    "parts": len(made),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "seconds": [round(after - before, 1) for before, after in pairwise(times)],
}
sys.stdout.buffer.write(orjson.dumps(seen))
