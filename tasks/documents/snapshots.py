"""Numbered versions of a corpus, each with what it changed in the one before; an unchanged corpus makes no new one."""

from tasks.artifacts import current
from tasks.documents.manifest import Changes, Corpus, CorpusSnapshot, Document
from tasks.errors import NotFound


def take(corpus: Corpus, git_commit: str | None) -> CorpusSnapshot:
    """The version of this corpus: the newest where it is the same, else a new one (of two writers one makes it)."""
    dataset = corpus.dataset
    bare = corpus.model_copy(update={"notes": [], "source": {}})  # the same documents from elsewhere are the same
    manifest = current().put_json("manifests", bare.model_dump(mode="json"))
    while True:
        newest = latest(dataset)
        if newest and newest.digest == corpus.digest:
            return newest.model_copy(update={"manifest": manifest})
        snapshot = CorpusSnapshot(
            dataset=dataset,
            version=newest.version + 1 if newest else 1,
            digest=corpus.digest,
            documents=len(corpus.documents),
            manifest=manifest,
            changes=changes(documents(newest) if newest else [], corpus.documents),
            source=corpus.source,
            git_commit=git_commit,
        )
        if current().create(_place(dataset, snapshot.version), snapshot.model_dump_json(indent=1).encode()):
            return snapshot


def history(dataset: str) -> list[CorpusSnapshot]:
    """All versions, the oldest first."""
    return [_read(place) for place in current().list(f"snapshots/{dataset}")]


def latest(dataset: str) -> CorpusSnapshot | None:
    places = current().list(f"snapshots/{dataset}")
    return _read(places[-1]) if places else None


def load(dataset: str, version: int) -> CorpusSnapshot:
    try:
        return _read(_place(dataset, version))
    except NotFound:
        raise NotFound(f"{dataset} has no snapshot {version}; see `penstock data history {dataset}`.") from None


def changes(before: list[Document], now: list[Document]) -> Changes:
    """By path and digest; a removed path whose bytes stand under a new one is a rename."""
    old = {one.path: one.digest for one in before}
    new = {one.path: one.digest for one in now}
    lost: dict[str, list[str]] = {}
    for path in sorted(old.keys() - new.keys(), reverse=True):
        lost.setdefault(old[path], []).append(path)
    arrived = sorted(new.keys() - old.keys())
    renamed = {path: lost[new[path]].pop() for path in arrived if lost.get(new[path])}
    return Changes(
        added=[path for path in arrived if path not in renamed],
        changed=[path for path in new if path in old and old[path] != new[path]],
        removed=sorted(path for paths in lost.values() for path in paths),
        renamed=[(source, path) for path, source in renamed.items()],
        unchanged=sum(old.get(path) == digest for path, digest in new.items()),
    )


def documents(snapshot: CorpusSnapshot) -> list[Document]:
    """Those of a version; of one whose manifest is gone, none."""
    try:
        return Corpus.model_validate_json(current().read_bytes(snapshot.manifest)).documents
    except NotFound:
        return []


def _read(place: str) -> CorpusSnapshot:
    return CorpusSnapshot.model_validate_json(current().read(place))


def _place(dataset: str, version: int) -> str:
    return f"snapshots/{dataset}/{version:06}.json"
