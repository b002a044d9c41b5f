"""Evidently's summary of a snapshot as one HTML page that needs no network."""

import os
import tempfile
from pathlib import Path

from tasks.artifacts import Artifact
from tasks.sources.frames import read_table

MOST = 50_000  # rows; the page says no more with a million, and takes half a minute
FEW = 50  # levels that a bar chart can show; more are text


def summary(table: Artifact, path: Path) -> None:
    """Write DataSummaryPreset's page of a table (of a seeded sample where it is large) to `path`, whole or not at all."""
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataSummaryPreset

    frame = sampled(read_table(table))
    # always said: Evidently's own guess silently drops columns
    definition = DataDefinition(**columns_of(frame))
    told = Report([DataSummaryPreset()]).run(Dataset.from_pandas(frame, data_definition=definition), None)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as aside:
        page = Path(aside) / path.name
        told.save_html(str(page))
        page.replace(path)
