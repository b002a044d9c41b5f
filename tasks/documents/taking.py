"""The bytes of a folder's files on their way into the store: only what is new or changed is copied or downloaded."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tasks.artifacts import Artifact, Store, file_sha256, sha256
from tasks.sources.folders import Found, Listing, Memo, shown

AT_ONCE = 64  # downloads


@dataclass
class Taken:
    """The stored bytes by path, and what was left out."""

    artifacts: dict[str, Artifact] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def take(listing: Listing, store: Store, gone: frozenset[str] = frozenset()) -> Taken:
    """Every file of the folder in the store; what the memo knows counts only where it is whole there.

    Files with a digest in `gone` are passed over: their bytes must not come back."""
    memo, taken = Memo(listing.root), Taken(notes=list(listing.notes))
    waiting = []
    for found in listing.files:
        digest = memo.digest(found) or (_digest(found) if gone and listing.remote is None else None)
        if digest and digest in gone:
            memo.learn(found, digest)
            continue
        known = reference(digest, found.size) if digest else None
        if known and store.whole(known):
            taken.artifacts[found.path] = known
        else:
            waiting.append(found)
    brought = _copied(waiting, store) if listing.remote is None else _downloaded(waiting, listing, store, gone)
    for found, artifact, why in brought:
        if artifact is None:
            taken.notes.append(f"{shown(found.path)} is left out: {why}.")
            continue
        taken.artifacts[found.path] = artifact
        memo.learn(found, artifact.digest)
    memo.save()
    return taken


def reference(digest: str, size: int) -> Artifact:
    """The stored bytes with this digest."""
    return Artifact(uri=f"documents/{digest[:2]}/{digest}", digest=digest, kind="documents", meta={"size": size})


def _copied(waiting: list[Found], store: Store) -> Iterator[tuple[Found, Artifact | None, str]]:
    """The stamp is older than the copy, so what is written to meanwhile is read again the next time."""
    for found in waiting:
        try:
            artifact = store.put_file("documents", Path(found.place))
        except OSError as error:
            yield found, None, str(error.strerror)
        else:
            yield found, reference(artifact.digest, store.place(artifact.uri).stat().st_size), ""


def _digest(found: Found) -> str | None:
    """None where it cannot be read: the copy says why."""
    with suppress(OSError):
        return file_sha256(Path(found.place))
    return None


def _downloaded(
    waiting: list[Found], listing: Listing, store: Store, gone: frozenset[str]
) -> Iterator[tuple[Found, Artifact | None, str]]:
    for start in range(0, len(waiting), AT_ONCE):
        some = waiting[start : start + AT_ONCE]
        read = listing.remote.cat_ranges([found.place for found in some], None, None, on_error="return")
        for found, data in zip(some, read, strict=True):
            if isinstance(data, bytes) and sha256(data) in gone:
                continue
            if isinstance(data, bytes):
                artifact = store.put_bytes("documents", data)
                yield found, reference(artifact.digest, len(data)), ""
            else:
                yield found, None, f"it cannot be read ({type(data).__name__})"
