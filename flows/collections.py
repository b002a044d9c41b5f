"""The alias of a documents release on a Qdrant server follows the release's champion, for readers that are not ours."""

from tasks.artifacts import Artifact, Store
from tasks.registry import history, ledger, records
from tasks.retrieval.opening import publish_index, server_of, switch_alias
from tasks.retrieval.served import read_release
from tasks.settings import Settings


def follow(store: Store, release: str, settings: Settings) -> None:
    """After a move: the alias names the champion's collection, and those of refused candidates go."""
    entries, server = ledger.entries(store, release), server_of(settings.qdrant)
    champion = history.champion(entries)
    if champion is None or server is None:
        return

    def index_of(version: int) -> Artifact:
        return read_release(store.path(records.version(store, release, version).folder)).index

    index = index_of(champion)
    publish_index(release, index, store.path(index), server)  # a rollback may lead to one that was dropped
    switch_alias(release, index, server, [index_of(version) for version in history.waiting(entries)])
