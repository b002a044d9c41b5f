"""Rows of a dataset, read and checked: the first steps of every release that is made of a table."""

from flows.orders import Prepared
from flows.receipts import say
from tasks.artifacts import Artifact
from tasks.registry.lineage import git_commit
from tasks.settings import ROOT, Settings
from tasks.sources import steps as sources
from tasks.sources.contracts import Contract
from tasks.sources.reading import pieces
from tasks.sources.snapshots import Snapshot
from tasks.sources.state import source_state
from tasks.tables import steps as tables
from tasks.tables.contracts import Cause


def checked(prepared: Prepared, contract: Contract, settings: Settings) -> tuple[Snapshot, Artifact]:
    """The newest snapshot, and those of its rows that hold to the contract."""
    dataset, order = prepared.dataset, prepared.order
    raw = sources.fetch(dataset, prepared.files, 0 if order.refresh else settings.remote_age)
    prepared.conditions["source"] = source_state(dataset, prepared.files, settings.remote_age)
    say(*raw.notes)
    table = sources.read(pieces(raw, dataset, contract), contract)
    snapshot = sources.snapshot(dataset.name, table, raw, dataset, git_commit(ROOT).commit)
    say(f"snapshot {snapshot.version} of {dataset.name}: {snapshot.rows} rows, {len(snapshot.columns)} columns")
    found = tables.check_contract(table, contract)
    say(f"contract: {found.bad_rows} of {found.rows} rows quarantined", *map(described, found.causes))
    return snapshot, found.good


def described(cause: Cause) -> str:
    return f"  {cause.rows} rows: {cause.column} {cause.check}, such as {cause.example!r}"
