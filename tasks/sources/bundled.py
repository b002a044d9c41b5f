"""Tables that need no network: scikit-learn's real ones, and the generators' rows."""

import io

import pyarrow as pa
import pyarrow.csv as pv

from tasks.artifacts import current
from tasks.sources import products
from tasks.sources.catalog import ONE, Dataset, GeneratorSource, SklearnSource
from tasks.sources.frames import normal
from tasks.sources.generators import credit_applications
from tasks.sources.raw import RawFile


def fetch_bundled(dataset: Dataset) -> RawFile:
    """The table as CSV bytes, as a file from outside would be."""
    source = dataset.source
    if isinstance(source, GeneratorSource):
        table, origin = generated(source), f"generator {source.name}, seed {source.seed}"
    else:
        assert isinstance(source, SklearnSource)
        table, origin = sklearn_table(source.loader), f"scikit-learn's {source.loader}"
    buffer = io.BytesIO()
    pv.write_csv(table, buffer)
    return RawFile(part=ONE, origin=origin, artifact=current().put_bytes("raw", buffer.getvalue(), ".csv"))


def generated(source: GeneratorSource) -> pa.Table:
    """Rows as text, as an export would hold them."""
    if source.name == "products":
        return pa.Table.from_pylist(products.rows(source.rows, source.seed))
    return credit_applications(source.rows, source.seed)


def sklearn_table(loader: str) -> pa.Table:
    """A table of scikit-learn's with its target by name."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{loader}")(as_frame=True)
    frame = bunch.frame
    if "target_names" in bunch:
        frame = frame.assign(target=[str(bunch.target_names[label]) for label in frame["target"]])
    return normal(pa.Table.from_pandas(frame, preserve_index=False))
