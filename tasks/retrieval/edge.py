"""The embedded index: one Qdrant Edge shard per version, packed in the store, opened by each process in a copy."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from pydantic import ValidationError

from tasks.artifacts import file_sha256
from tasks.errors import BadInput, Refused
from tasks.retrieval.packing import unpack
from tasks.retrieval.points import (
    DAY,
    DENSE,
    EVERYTHING,
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

ABOUT, SHARD = "index.json", "shard.zip"
PAGE = 1000


class EdgeIndex:
    """An opened index. Loading a shard writes to its files, so each process loads a copy, which leaves no trace:
    its names are removed at once and its blocks live as long as the process."""

    def __init__(self, folder: Path) -> None:
        self.facts = read_facts(folder)
        self.dim, self.model = self.facts.dim, self.facts.model
        if file_sha256(folder / SHARD) != self.facts.shard:
            raise Refused(f"{folder / SHARD} was altered; train again to rebuild the index.")
        with tempfile.TemporaryDirectory(prefix="penstock-index-") as copy:
            unpack(folder / SHARD, Path(copy))
            self._shard = edge.EdgeShard.load(copy)
        self._bm25, self._params = self.facts.bm25(), edge.SearchParams(exact=not self.facts.graph)
        if (found := self.count(EVERYTHING)) != self.facts.count:
            raise Refused(f"The index in {folder} has {found} of {self.facts.count} points; train again to rebuild it.")

    def search(self, dense: Vector | None, text: str | None, filters: Filters, limit: int, prefetch: int) -> list[Hit]:
        """See `store.Index`."""
        checked_query(dense, text, self.facts)
        ways = self._ways(dense, text, _filter(filters), max(prefetch, limit))
        if sees_nothing(filters) or not ways:
            return []
        both = len(ways) > 1
        query: Any = edge.Fusion.Dbsf() if both else ways[0].query
        request = edge.QueryRequest(
            limit=limit + TIED,
            prefetches=ways if both else [],
            query=query,
            filter=_filter(filters),
            params=self._params,
            with_payload=True,
            with_vector=[DENSE],
        )
        return ranked((hit_of(point, dense) for point in self._shard.query(request)), limit)

    def count(self, filters: Filters) -> int:
        if sees_nothing(filters):
            return 0
        return int(self._shard.count(edge.CountRequest(exact=True, filter=_filter(filters))))

    def points(self) -> Iterator[list[Any]]:
        """All points with their vectors, in pages: how an index gets to a server."""
        offset = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=PAGE, with_payload=True, with_vector=True)
            records, offset = self._shard.scroll(request)
            yield records
            if offset is None:
                return

    def close(self) -> None:
        self._shard.close()

    def _ways(self, dense: Vector | None, text: str | None, allowed: Any, limit: int) -> list[Any]:
        queries = {}
        if dense is not None:
            queries[DENSE] = dense.tolist()
        if text is not None and (sparse := self._bm25.embed_query(text)).indices:
            queries[SPARSE] = sparse
        return [
            edge.Prefetch(limit=limit, query=edge.Query.Nearest(value, using=name), filter=allowed, params=self._params)
            for name, value in queries.items()
        ]


def read_facts(folder: Path) -> Facts:
    try:
        return Facts.model_validate_json((folder / ABOUT).read_bytes())
    except (FileNotFoundError, ValidationError):
        raise BadInput(f"{folder} holds no index of this format; train again to build it.") from None


def _filter(filters: Filters) -> Any:
    chosen = {"tenant": filters.tenants, "document": filters.documents}
    must: list[Any] = [
        edge.FieldCondition(key, match=edge.MatchAny(list(names))) for key, names in chosen.items() if names
    ]
    if days := day_range(filters):
        must.append(edge.FieldCondition(DAY, range=edge.RangeDateTime(**days)))
    if not filters.without:
        return edge.Filter(must=must) if must else None
    never = edge.FieldCondition("document", match=edge.MatchAny(list(filters.without)))
    return edge.Filter(must=must or None, must_not=[never])
