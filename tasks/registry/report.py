"""One HTML page per version: data, training, evidence, decision, lineage. From the store alone."""

import base64
import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.artifacts import Artifact, Store
from tasks.registry import history, ledger, records
from tasks.registry.compare import decision_rows
from tasks.registry.rest import RELEASE


def page(store: Store, release: str, number: int) -> str:
    """The page as HTML; everything that came from outside is escaped."""
    record = records.version(store, release, number)
    entries = ledger.entries(store, release)
    verdict = records.in_force(store, release, number)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html").render(
        release=release,
        record=record,
        made=json.loads((store.path(record.folder) / RELEASE).read_bytes()),
        verdict=verdict,
        pictures=pictures(store, record.plots),
        reasons=decision_rows(verdict.decision) if verdict else [],
        champion=history.champion(entries),
        withdrawn=number in history.withdrawn(entries),
        entries=[entry for entry in entries if number in (entry.from_version, entry.to_version)],
    )


def pictures(store: Store, plots: Artifact | None) -> dict[str, str]:
    """The plots of a version, as base64; none where it has none or the store lost them (MLflow has them too)."""
    if plots is None or not store.whole(plots):
        return {}
    return {path.stem: base64.b64encode(path.read_bytes()).decode() for path in sorted(store.path(plots).glob("*.png"))}
