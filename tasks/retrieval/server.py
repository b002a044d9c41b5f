"""The same index on a Qdrant server: a collection per version, made whole out of the embedded one, and an alias."""

import re
from collections.abc import Callable, Set
from typing import Any, TypeVar

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from tasks.errors import Refused, Unavailable
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.points import (
    DAY,
    DENSE,
    EVERYTHING,
    KEYWORDS,
    SPARSE,
    TIED,
    Facts,
    checked_query,
    day_range,
    hit_of,
    ranked,
    sees_nothing,
)
from tasks.retrieval.store import Filters, Hit, Vector

KEPT = 3  # collections of a release: the present one and those that a rollback may want
LIMIT = 30  # seconds
R = TypeVar("R")


def connect(url: str, key: str | None) -> QdrantClient:
    return QdrantClient(url=url, api_key=key, timeout=LIMIT, check_compatibility=False)


def collection_of(release: str, digest: str) -> str:
    """The collection's name: `digest` is that of the index's artifact."""
    return f"{release}-{digest[:12]}"


def publish(client: QdrantClient, release: str, index: EdgeIndex, digest: str) -> str:
    """Make the collection of an index, or find it; one that a killed run left half made is made anew."""
    name = collection_of(release, digest)
    if _asked(client.collection_exists, name):
        if _asked(client.count, name, exact=True).count == index.facts.count:
            return name
        _asked(client.delete_collection, name)
    _create(client, name, index.facts.dim)
    for page in index.points():
        points = [models.PointStruct(id=str(one.id), vector=_vectors(one), payload=one.payload) for one in page]
        _asked(client.upsert, name, points=points, wait=True)
    if (found := _asked(client.count, name, exact=True).count) != index.facts.count:
        raise Unavailable(f"The server took {found} of {index.facts.count} points of {name}; publish it again.")
    return name


def switch(client: QdrantClient, release: str, collection: str, spare: Set[str] = frozenset()) -> None:
    """Let the alias `release` name this collection, in one call; the release's collections that no alias names go,
    except those to `spare`: fallen out of the last three, or of refused candidates."""
    names = [release, *(f"{release}-previous-{number}" for number in range(1, KEPT))]
    present = {alias.alias_name: alias.collection_name for alias in _asked(client.get_aliases).aliases}
    before = [present[name] for name in names if name in present]
    after = [collection, *(name for name in before if name != collection)]
    changes: list[Any] = [
        models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name))
        for name in names
        if name in present
    ]
    changes += [
        models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=one, alias_name=name))
        for name, one in zip(names, after, strict=False)
    ]
    _asked(client.update_collection_aliases, changes)
    kept = spare | {alias.collection_name for alias in _asked(client.get_aliases).aliases}
    for found in _asked(client.get_collections).collections:
        if found.name not in kept and re.fullmatch(f"{re.escape(release)}-[0-9a-f]{{12}}", found.name):
            _asked(client.delete_collection, found.name)


def remove(client: QdrantClient, release: str, digest: str) -> bool:
    """Delete the collection of an index; whether it was there."""
    name = collection_of(release, digest)
    there = bool(_asked(client.collection_exists, name))
    if there:
        _asked(client.delete_collection, name)
    return there


class ServerIndex:
    """A published collection; `facts` are the meta of the index's artifact."""

    def __init__(self, client: QdrantClient, collection: str, facts: Facts) -> None:
        self.facts, self.dim, self.model = facts, facts.dim, facts.model
        self._client, self._collection, self._bm25 = client, collection, facts.bm25()
        self._params = models.SearchParams(exact=not facts.graph)
        there = _asked(client.collection_exists, collection)
        if (found := self.count(EVERYTHING) if there else 0) != facts.count:
            raise Unavailable(
                f"{collection} on the server has {found} of {facts.count} points; train again to publish it."
            )

    def search(self, dense: Vector | None, text: str | None, filters: Filters, limit: int, prefetch: int) -> list[Hit]:
        """See `store.Index`."""
        checked_query(dense, text, self.facts)
        ways = self._ways(dense, text, _filter(filters), max(prefetch, limit))
        if sees_nothing(filters) or not ways:
            return []
        fused: dict[str, Any] = {"prefetch": ways, "query": models.FusionQuery(fusion=models.Fusion.DBSF)}
        alone: dict[str, Any] = {"query": ways[0].query, "using": ways[0].using, "search_params": self._params}
        found = _asked(
            self._client.query_points,
            self._collection,
            **(fused if len(ways) > 1 else alone),
            query_filter=_filter(filters),
            limit=limit + TIED,
            with_payload=True,
            with_vectors=[DENSE],
        )
        return ranked((hit_of(point, dense) for point in found.points), limit)

    def count(self, filters: Filters) -> int:
        if sees_nothing(filters):
            return 0
        return int(_asked(self._client.count, self._collection, count_filter=_filter(filters), exact=True).count)

    def close(self) -> None:
        self._client.close()

    def _ways(self, dense: Vector | None, text: str | None, allowed: Any, limit: int) -> list[models.Prefetch]:
        queries: dict[str, Any] = {}
        if dense is not None:
            queries[DENSE] = dense.tolist()
        if text is not None and (sparse := self._bm25.embed_query(text)).indices:
            queries[SPARSE] = models.SparseVector(indices=sparse.indices, values=sparse.values)
        return [
            models.Prefetch(query=value, using=name, limit=limit, filter=allowed, params=self._params)
            for name, value in queries.items()
        ]


def _asked(call: Callable[..., R], *values: Any, **named: Any) -> R:
    try:
        return call(*values, **named)
    except (ResponseHandlingException, httpx.TransportError) as error:
        raise Unavailable(f"Qdrant cannot be reached ({error}); check QDRANT_URL and that it runs.") from None
    except UnexpectedResponse as error:
        kind = Refused if error.status_code in (401, 403) else Unavailable
        raise kind(
            f"Qdrant answered {error.status_code}: {error.reason_phrase}; check QDRANT_API_KEY and its log."
        ) from None


def _create(client: QdrantClient, name: str, dim: int) -> None:
    _asked(
        client.create_collection,
        name,
        vectors_config={DENSE: models.VectorParams(size=dim, distance=models.Distance.COSINE)},
        sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
    )
    kinds = dict.fromkeys(KEYWORDS, models.PayloadSchemaType.KEYWORD) | {DAY: models.PayloadSchemaType.DATETIME}
    for field, kind in kinds.items():
        _asked(client.create_payload_index, name, field_name=field, field_schema=kind, wait=True)


def _vectors(record: Any) -> dict[str, Any]:
    named = dict(record.vector)
    if sparse := named.get(SPARSE):
        named[SPARSE] = models.SparseVector(indices=sparse.indices, values=sparse.values)
    return named


def _filter(filters: Filters) -> models.Filter | None:
    chosen = {"tenant": filters.tenants, "document": filters.documents}
    must: list[Any] = [
        models.FieldCondition(key=key, match=models.MatchAny(any=list(names))) for key, names in chosen.items() if names
    ]
    if days := day_range(filters):
        must.append(models.FieldCondition(key=DAY, range=models.DatetimeRange.model_validate(days)))
    if not filters.without:
        return models.Filter(must=must) if must else None
    never = models.FieldCondition(key="document", match=models.MatchAny(any=list(filters.without)))
    return models.Filter(must=must or None, must_not=[never])
