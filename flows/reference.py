"""What the answers of a champion are compared with, by its kind: its own unseen rows, or its first window."""

from flows.candidates import present, record_of
from tasks.artifacts import Artifact, Store
from tasks.creative import steps as creative
from tasks.registry.records import VersionRecord
from tasks.settings import Settings
from tasks.sources.catalog import load_dataset
from tasks.watching import references, steps
from tasks.watching.frames import FACTS, Shape, shape_of
from tasks.watching.looking import Look
from tasks.watching.references import Reference


def reference_of(
    store: Store, release: str, record: VersionRecord, settings: Settings
) -> tuple[Reference | None, Shape]:
    """The reference of a version and how its log reads; None where no window was closed that could be one."""
    present(release, record, settings)
    told = record_of(record.folder)
    if told["kind"] in FACTS:
        return references.of_answers(store, release, record.version), shape_of(told)
    if told["kind"] == "creative":
        table, split = (Artifact.model_validate(told["inputs"][name]) for name in ("table", "split"))
        reference = steps.reference_of_texts(record.folder, creative.score_texts(record.folder, table, split))
    else:
        dataset = load_dataset(told["inputs"]["recipe"]["dataset"], settings.folders)
        reference = steps.reference_of_table(record.folder, dataset.time)
    return reference, reference.shape


def first(store: Store, release: str, champion: int, shape: Shape, found: Look) -> Reference:
    """The first window of a champion as the reference of the next ones."""
    return references.keep_answers(store, release, champion, shape, found.rows.sample)
