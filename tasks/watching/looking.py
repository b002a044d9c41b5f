"""A window of the log as it is looked at: drift from the reference, faults, rates, and what labels and scores say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tasks.artifacts import Artifact, Store
from tasks.sources.frames import read_table
from tasks.statistics import Interval
from tasks.watching import estimates, quality
from tasks.watching.counting import Counted, counted
from tasks.watching.drift import Verdict, verdict
from tasks.watching.faults import Faults
from tasks.watching.frames import LATENCY, NEEDED, PREDICTION, TEXT, Shape, framed
from tasks.watching.meaning import EMBEDDING, embedded
from tasks.watching.parts import SCHEMA, Part, rows
from tasks.watching.quality import Matrix
from tasks.watching.references import Reference
from tasks.watching.truth import Truth, joined
from tasks.watching.windows import Quality, Window

RATES = {"answered": "answered", "cited": "cited", "tokens": "completion_tokens"}
TAIL = 0.95
SCORES = 5_000  # answers from which a metric is foretold
OUTPUT = pa.schema([SCHEMA.field("output")])


@dataclass(frozen=True)
class Look:
    """The rows of a window that keep the contract, counted and sampled; and how many others there were, and why.

    `texts` are what was asked in each row of the sample, None where it is not logged."""

    rows: Counted
    faulty: int
    faults: dict[str, int]
    texts: tuple[str | None, ...] = ()

    @property
    def rates(self) -> dict[str, float]:
        """Shares of answered and cited questions, and what answers took, where the kind has them."""
        return dict(_rates(self.rows.sample))

    @property
    def told(self) -> int:
        """How many texts of the sample are logged."""
        return sum(text is not None for text in self.texts)

    def meaning(self, weights: Artifact) -> "Look":
        """With the column `embedding` of what was asked."""
        sample = embedded(self.rows.sample, self.texts, weights)
        nulls = self.rows.nulls | {EMBEDDING: 0}
        return replace(self, rows=replace(self.rows, sample=sample, nulls=nulls))


def look(store: Store, shape: Shape, parts: Sequence[Part], champion: int) -> Look:
    """One pass over the rows that the champion answered."""
    faults = Faults(shape.fields)
    frame = framed(shape, rows(store, parts, str(champion), columns=NEEDED))
    found = counted(pa.RecordBatchReader.from_batches(frame.schema, faults.pass_good(frame)))
    texts = found.sample[TEXT].to_pylist() if TEXT in found.nulls else ()
    return Look(_without(found, TEXT), faults.rows, dict(faults.causes), tuple(texts))


def compared(reference: Reference, window: Look) -> Verdict:
    """The verdict on the columns of the reference; on what texts mean where both sides have it."""
    before, after = counted(read_table(reference.frame)), window.rows
    if not (EMBEDDING in before.nulls and EMBEDDING in after.nulls):
        before, after = _without(before, EMBEDDING), _without(after, EMBEDDING)
    return verdict(before, after)


def _without(side: Counted, name: str) -> Counted:
    if name not in side.nulls:
        return side
    nulls = {one: count for one, count in side.nulls.items() if one != name}
    return replace(side, nulls=nulls, sample=side.sample.drop_columns([name]))


def foretold(metric: str, reference: Reference, store: Store, parts: Sequence[Part], champion: int) -> Interval | None:
    """What the metric should be, by the scores of the window; None for numbers, and where nothing can be said."""
    if not reference.classes or reference.scored is None:
        return None
    outputs = rows(store, parts, str(champion), columns=("output",))
    sample = counted(pa.RecordBatchReader.from_batches(OUTPUT, outputs), SCORES).sample
    said = _said(reference, sample.to_batches())
    known = read_table(reference.scored)
    before = np.column_stack([known[name] for name in known.column_names if name != "truth"])
    return estimates.estimate(metric, said, estimates.calibrated(before, known["truth"].to_numpy(), said))


def measured(
    window: Window,
    reference: Reference,
    store: Store,
    parts: Sequence[Part],
    told: Truth,
    promised: Interval | None,
    slices: Sequence[str] = (),
) -> Quality | None:
    """The metric of the window's rows whose labels are known by now. None: too few are."""
    columns = ("output", "inputs", "label")
    schema = pa.schema([SCHEMA.field(name) for name in columns])
    batches = joined(store, parts, told, str(window.champion), columns)
    known = (batch.select(columns).filter(pc.is_valid(batch["label"])) for batch in batches)
    table = pa.Table.from_batches(known, schema)
    labels = [orjson.loads(label) for label in table["label"].to_pylist()]
    truth, fits = quality.encoded(labels, reference.classes)
    said = _said(reference, table.to_batches())
    inputs = [orjson.loads(text or "{}") for text in table["inputs"].to_pylist()]
    sliced = {name: [row.get(name) for row, fit in zip(inputs, fits, strict=True) if fit] for name in slices}
    found = quality.live(window.metric, truth[fits], said[fits], promised, sliced)
    return found and found.model_copy(update={"feedback": len(told.keys)})


def _said(reference: Reference, batches: Iterable[pa.RecordBatch]) -> Matrix:
    outputs = [orjson.loads(text) for batch in batches for text in batch["output"].to_pylist()]
    return quality.predictions(outputs, reference.classes)


def _rates(sample: pa.Table) -> Iterable[tuple[str, float]]:
    if PREDICTION in sample.column_names or not len(sample):
        return
    for name, column in RATES.items():
        if column in sample.column_names and sample[column].null_count < len(sample):
            values = sample[column].cast(pa.float64())
            yield name, pc.mean(pc.greater(values, 0) if name == "cited" else values).as_py()
    for share in (0.5, TAIL):
        found = pc.quantile(sample[LATENCY], share)[0].as_py()
        if found is not None:
            yield f"latency_ms_p{share * 100:.0f}", found
