"""Publishing to a server: found again, mended when half made, switched and thinned out."""

from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import CreateAlias, CreateAliasOperation

from tasks.artifacts import Artifact, Store
from tasks.errors import Unavailable
from tasks.retrieval.building import build_index
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.points import EVERYTHING, Facts
from tasks.retrieval.server import ServerIndex, collection_of, connect, publish, remove, switch
from tests.retrieval import tiny

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]


def made(store: Store, seed: int) -> tuple[EdgeIndex, Artifact]:
    artifact = build_index(tiny.chunks(12, seed), tiny.unit(12), "model", 1000)
    return EdgeIndex(store.path(artifact)), artifact


def aliases(client: QdrantClient) -> dict[str, str]:
    return {alias.alias_name: alias.collection_name for alias in client.get_aliases().aliases}


def collections(client: QdrantClient) -> set[str]:
    return {found.name for found in client.get_collections().collections}


def test_a_half_made_collection_is_made_anew_and_a_whole_one_found(store: Store) -> None:
    client = QdrantClient(":memory:")
    index, artifact = made(store, 0)
    name = publish(client, "guides", index, artifact.digest)
    assert name == collection_of("guides", artifact.digest)
    facts = Facts.model_validate(artifact.meta)
    victim = tiny.chunks(12)[5].id
    client.delete(name, [victim])
    with pytest.raises(Unavailable, match="11 of 12 points"):
        ServerIndex(client, name, facts)
    assert publish(client, "guides", index, artifact.digest) == name
    assert ServerIndex(client, name, facts).count(EVERYTHING) == 12
    client.set_payload(name, {"title": "kept"}, [victim])
    publish(client, "guides", index, artifact.digest)
    assert client.retrieve(name, [victim])[0].payload["title"] == "kept"  # type: ignore[index]
    with pytest.raises(Unavailable, match="0 of 12 points"):
        ServerIndex(client, "guides-none", facts)


def test_the_alias_moves_and_the_last_three_stay(store: Store) -> None:
    client = QdrantClient(":memory:")
    other, artifact = made(store, 9)
    stranger = publish(client, "guides-old", other, artifact.digest)
    switch(client, "guides-old", stranger)
    names = []
    for seed in range(5):
        index, artifact = made(store, seed)
        names.append(publish(client, "guides", index, artifact.digest))
        switch(client, "guides", names[-1])
        switch(client, "guides", names[-1])
    assert aliases(client) == {
        "guides": names[4],
        "guides-previous-1": names[3],
        "guides-previous-2": names[2],
        "guides-old": stranger,
    }
    assert collections(client) == {stranger, *names[2:]}
    switch(client, "guides", names[3])
    assert aliases(client)["guides"] == names[3] and aliases(client)["guides-previous-1"] == names[4]
    assert collections(client) == {stranger, *names[2:]}


def test_collections_of_refused_candidates_go_with_the_next_switch(store: Store) -> None:
    client = QdrantClient(":memory:")
    champion, pending, refused, named = (publish(client, "guides", *digested(store, seed)) for seed in range(4))
    client.update_collection_aliases(
        [CreateAliasOperation(create_alias=CreateAlias(collection_name=named, alias_name="mine"))]
    )
    switch(client, "guides", champion, {pending})
    assert collections(client) == {champion, pending, named} and refused not in aliases(client).values()
    switch(client, "guides", champion)
    assert collections(client) == {champion, named}


def digested(store: Store, seed: int) -> tuple[EdgeIndex, str]:
    index, artifact = made(store, seed)
    return index, artifact.digest


def test_a_collection_is_removed_once(store: Store) -> None:
    client = QdrantClient(":memory:")
    index, artifact = made(store, 0)
    name = publish(client, "guides", index, artifact.digest)
    assert remove(client, "guides", artifact.digest) and not client.collection_exists(name)
    assert not remove(client, "guides", artifact.digest)


def test_a_new_version_without_a_chunk_has_it_no_more(store: Store) -> None:
    client = QdrantClient(":memory:")
    chunks, vectors = tiny.chunks(12), tiny.unit(12)
    found = []
    for count in (12, 11):
        artifact = build_index(chunks[:count], vectors[:count], "model", 1000)
        name = publish(client, "guides", EdgeIndex(store.path(artifact)), artifact.digest)
        index = ServerIndex(client, name, Facts.model_validate(artifact.meta))
        found.append({hit.chunk.id for hit in index.search(vectors[11], chunks[11].text, EVERYTHING, 12, 100)})
    assert chunks[11].id in found[0] and chunks[11].id not in found[1]


def test_a_server_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    index, artifact = made(store, 0)
    client = connect("http://127.0.0.1:9", None)
    with pytest.raises(Unavailable, match="check QDRANT_URL"):
        publish(client, "guides", index, artifact.digest)
