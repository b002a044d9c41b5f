"""Batch scoring with the champion. Started by `penstock score`, a deployment or its schedule; needs Prefect."""

import tempfile
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.candidates import present
from flows.orders import recipe_of
from flows.receipts import say
from tasks.artifacts import opened
from tasks.settings import Settings, load
from tasks.sources.catalog import load_dataset, masked
from tasks.sources.layout import Expected
from tasks.sources.steps import outside
from tasks.tables import batch_sources, batches
from tasks.tables.batches import Scored
from tasks.tables.predictor import Predictor
from tasks.watching import batch_log
from tasks.watching.privacy import privacy_of

fetch = outside(batch_sources.fetch)


@flow(name="score", flow_run_name="{release}")
def score(release: str, source: str, to: str, query: str | None = None) -> Scored:
    """Score the rows of a file, or of a query on a database, with the version that is champion when the run starts."""
    settings = load()
    batch_sources.check(source, query, Path(to))
    with opened(settings.store) as store:
        record = batches.champion(store, release)
        present(release, record, settings)
        predictor = Predictor.load(store.path(record.folder))
    shown = masked(source)
    say(f"scoring {shown} with version {record.version} of {release}")
    with tempfile.TemporaryDirectory() as aside:
        path = fetch(source, query, Path(aside))
        rows = batch_sources.open_rows(path, shown, expected(release, predictor, settings))
        privacy = privacy_of(predictor.release["input_schema"], settings.pseudonym_bytes)
        run = batch_log.run_id(release, record.version, path)
        with batch_log.logging(store, release, record.version, run, privacy) as tell:
            scored = batches.score(predictor, record.version, rows, Path(to), tell)
    create_markdown_artifact(markdown(scored, shown), key=f"score-{release}", description=f"{release}: batch scoring")
    return scored


def expected(release: str, predictor: Predictor, settings: Settings) -> Expected:
    """What the rows must have: the inputs that may not be empty; encoding and headless names are the dataset's."""
    dataset = load_dataset(recipe_of(release, settings).dataset, settings.folders)
    needed = tuple(field.name for field in predictor.schema if not field.nullable)
    return Expected(needed=needed, encoding=dataset.encoding, names=tuple(dataset.columns))


def markdown(scored: Scored, source: str) -> str:
    """The run's page in the Prefect UI."""
    told = {
        "rows": f"{scored.rows:,}",
        "version": scored.version,
        "seconds": f"{scored.seconds:.1f}",
        "from": f"`{source}`",
        "to": f"`{scored.to}`",
        "rows with a level that training never saw": f"{scored.unseen:,}",
        "inputs that the source does not have": ", ".join(scored.absent) or "none",
    }
    lines = [f"| {name} | {value} |" for name, value in told.items()]
    return "\n".join([f"# {scored.release}: {scored.rows:,} rows scored", "", "| | |", "|---|---|", *lines])
