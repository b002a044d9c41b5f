"""The bytes of a folder's files on their way into the store: only what is new or changed is copied or downloaded."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.artifacts import Artifact, Store, file_sha256, sha256
from tasks.errors import Unavailable
from tasks.sources.catalog import masked
from tasks.sources.folders import Found, Listing, Memo, shown

AT_ONCE, LARGE = 64, 64 << 20  # downloads, and bytes of all of them: a larger file is streamed


@dataclass
class Taken:
    """The stored bytes by path, and what was left out."""

    artifacts: dict[str, Artifact] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def take(listing: Listing, store: Store, gone: frozenset[str] = frozenset()) -> Taken:
    """Every file of the folder in the store; what the memo knows counts only where it is whole there.

    Files with a digest in `gone` are passed over: their bytes must not come back. Raises Unavailable where a file that
    is there cannot be fetched now."""
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
        except (FileNotFoundError, PermissionError) as error:
            yield found, None, str(error.strerror)
        except OSError as error:
            raise Unavailable(f"{shown(found.path)} cannot be taken ({error}): mend that, then run again.") from None
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
    """What is not there any more is left out; any other failure ends the scan: it must not pass for a removal."""
    for some in _batches(waiting):
        for found, data in zip(some, _fetched(some, listing.remote), strict=True):
            if isinstance(data, FileNotFoundError):
                yield found, None, "it is not there any more"
            elif isinstance(data, BaseException):
                why = masked(f"{type(data).__name__}: {data}")
                raise Unavailable(f"{shown(found.path)} of {listing.root} cannot be downloaded ({why}); run again.")
            elif isinstance(data, bytes):
                if sha256(data) not in gone:
                    yield found, reference(store.put_bytes("documents", data).digest, len(data)), ""
            elif file_sha256(data) not in gone:
                yield found, reference(store.put_file("documents", data).digest, data.stat().st_size), ""


def _batches(waiting: list[Found]) -> Iterator[list[Found]]:
    """Files to download at once: not too many, not too large together."""
    some: list[Found] = []
    for found in waiting:
        if some and (len(some) == AT_ONCE or sum(one.size for one in some) + found.size > LARGE):
            yield some
            some = []
        some.append(found)
    if some:
        yield some


def _fetched(some: list[Found], remote: Any) -> Iterator[bytes | Path | BaseException]:
    """The bytes of each, or what went wrong; of a large one a file that is gone with the next step."""
    if some[0].size <= LARGE:
        yield from remote.cat_ranges([found.place for found in some], None, None, on_error="return")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large"
        try:
            remote.get_file(some[0].place, str(path))
        except (OSError, ValueError) as error:
            yield error
        else:
            yield path
