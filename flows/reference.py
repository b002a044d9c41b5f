"""What the answers of a champion are compared with, by its kind: its own unseen rows, or its first window."""

from flows.candidates import present, record_of
from flows.documents import weights_of
from tasks.artifacts import Artifact, Store
from tasks.creative import steps as creative
from tasks.errors import Unavailable
from tasks.registry.records import VersionRecord
from tasks.retrieval.specs import Embedding
from tasks.settings import Settings
from tasks.sources.catalog import load_dataset
from tasks.sources.frames import read_table
from tasks.watching import references, steps
from tasks.watching.drift import FEWEST
from tasks.watching.frames import FACTS, Shape, shape_of
from tasks.watching.looking import Look
from tasks.watching.meaning import EMBEDDING
from tasks.watching.references import Reference

NOT_LOGGED = "texts are not logged, so their meaning is not compared; set PENSTOCK_LOG_TEXT=true"
FIRST_NOT_LOGGED = (
    "the texts of the first window were not logged, so their meaning is not compared before the next champion"
)


def reference_of(
    store: Store, release: str, record: VersionRecord, settings: Settings, weights: Artifact | None = None
) -> tuple[Reference | None, Shape]:
    """The reference of a version and how its log reads; None where no window was closed that could be one.

    With `weights` of an embedding model, the reference of texts tells what they mean, too."""
    present(release, record, settings)
    told = record_of(record.folder)
    if told["kind"] in FACTS:
        return references.of_answers(store, release, record.version), shape_of(told)
    if told["kind"] == "creative":
        table, split = (Artifact.model_validate(told["inputs"][name]) for name in ("table", "split"))
        reference = steps.reference_of_texts(record.folder, creative.score_texts(record.folder, table, split), weights)
    else:
        dataset = load_dataset(told["inputs"]["recipe"]["dataset"], settings.folders)
        reference = steps.reference_of_table(record.folder, dataset.time)
    return reference, reference.shape


def with_meaning(
    store: Store, release: str, record: VersionRecord, reference: Reference | None, found: Look, settings: Settings
) -> tuple[Reference | None, Look, tuple[str, ...]]:
    """Reference and window with what their texts mean, where these are logged; or a note why they stay without."""
    if not found.texts:
        return reference, found, ()
    if found.told < FEWEST:
        return reference, found, (NOT_LOGGED,)
    try:
        weights = weights_of(Embedding(), settings.remote_age, settings)
    except Unavailable as error:
        return reference, found, (f"the meaning of texts is not compared: {error}",)
    if reference is not None:
        reference, _ = reference_of(store, release, record, settings, weights)
    known = reference is None or EMBEDDING in read_table(reference.frame).column_names
    return reference, found.meaning(weights), () if known else (FIRST_NOT_LOGGED,)


def first(store: Store, release: str, champion: int, shape: Shape, found: Look) -> Reference:
    """The first window of a champion as the reference of the next ones."""
    return references.keep_answers(store, release, champion, shape, found.rows.sample)
