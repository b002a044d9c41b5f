"""Tables that need no network: scikit-learn's real ones, and the generators' rows."""

import io
from collections.abc import Callable

import pyarrow as pa
import pyarrow.csv as pv

from tasks.artifacts import current
from tasks.sources import products
from tasks.sources.catalog import ONE, Dataset, GeneratorSource, SklearnSource
from tasks.sources.frames import normal
from tasks.sources.generators import credit_applications
from tasks.sources.raw import RawFile

# number of rows and seed to rows as text, as an export would hold them
GENERATORS: dict[str, Callable[[int, int], pa.Table]] = {
    "credit-applications": credit_applications,
    "products": lambda rows, seed: pa.Table.from_pylist(products.rows(rows, seed)),
}


def fetch_bundled(dataset: Dataset) -> RawFile:
    """The table as CSV bytes, as a file from outside would be."""
    source = dataset.source
    if isinstance(source, GeneratorSource):
        table = GENERATORS[source.name](source.rows, source.seed)
        origin = f"generator {source.name}, seed {source.seed}"
    else:
        assert isinstance(source, SklearnSource)
        table, origin = sklearn_table(source.loader), f"scikit-learn's {source.loader}"
    return RawFile(part=ONE, origin=origin, artifact=current().put_bytes("raw", csv_of(table), ".csv"))


def csv_of(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pv.write_csv(table, buffer)
    return buffer.getvalue()


def sklearn_table(loader: str) -> pa.Table:
    """A table of scikit-learn's with its target by name."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{loader}")(as_frame=True)
    frame = bunch.frame
    if "target_names" in bunch:
        frame = frame.assign(target=[str(bunch.target_names[label]) for label in frame["target"]])
    return normal(pa.Table.from_pandas(frame, preserve_index=False))
