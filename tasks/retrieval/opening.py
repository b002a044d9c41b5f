"""Where an index is opened: the embedded shard out of the artifact store, or the collection of a Qdrant server."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.points import Facts
from tasks.retrieval.store import Index


class Server(BaseModel):
    """A Qdrant server."""

    model_config = ConfigDict(frozen=True)

    url: str
    key: str | None = None


def server_of(native: tuple[str, str | None] | None) -> Server | None:
    """The server of the settings' native variables (URL and key); without them the index is embedded."""
    return Server(url=native[0], key=native[1]) if native else None


def open_index(release: str, index: Artifact, piece: Callable[[Artifact], Path], server: Server | None) -> Index:
    """The index of a release: on the server, where there is one, under the name that it was published by."""
    if server is None:
        return EdgeIndex(piece(index))
    # a client that the embedded one goes without
    from tasks.retrieval.server import ServerIndex, collection_of, connect

    facts, client = Facts.model_validate(index.meta), connect(server.url, server.key)
    try:
        return ServerIndex(client, collection_of(release, index.digest), facts)
    except BaseException:
        client.close()
        raise


def publish_index(release: str, index: Artifact, folder: Path, server: Server) -> str:
    """Copy a built index to the server, as a collection of its own; found where it is there. The collection's name."""
    from tasks.retrieval.server import connect, publish

    client, built = connect(server.url, server.key), EdgeIndex(folder)
    try:
        return publish(client, release, built, index.digest)
    finally:
        built.close()
        client.close()


def switch_alias(release: str, index: Artifact, server: Server, spared: Sequence[Artifact] = ()) -> None:
    """Let the release's alias on the server name this index, for readers that are not ours; collections of refused
    candidates go, those of the `spared` indexes stay."""
    from tasks.retrieval.server import collection_of, connect, switch

    client = connect(server.url, server.key)
    try:
        spare = {collection_of(release, one.digest) for one in spared}
        switch(client, release, collection_of(release, index.digest), spare)
    finally:
        client.close()
