"""Folders of documents, local or behind an fsspec URL: what lies in them, and what is new since the last look."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import fsspec

from tasks.artifacts import canonical, current, file_sha256, sha256
from tasks.errors import BadInput, NotFound, Unavailable
from tasks.sources.catalog import FolderSource, expand, masked


@dataclass(frozen=True)
class Found:
    """A file: `path` inside the folder (POSIX), `place` for its file system, `stamp` changes when the file does."""

    path: str
    place: str
    size: int
    stamp: str


@dataclass
class Listing:
    """A folder's files by path; `remote` is their file system where that is not the local one."""

    root: str
    files: list[Found] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    remote: Any = None

    def note(self, path: str, why: str) -> None:
        self.notes.append(f"{shown(path)} is left out: {why}.")


def look(source: FolderSource) -> Listing:
    """The files of a folder that are not hidden and that the globs name; nothing is read."""
    listing = _look_far(source.path) if "://" in source.path else _look_here(Path(source.path))
    listing.files = [found for found in listing.files if _chosen(found.path, source)]
    listing.files.sort(key=lambda found: found.path)
    return listing


def states(listing: Listing) -> dict[str, str]:
    """What changes when a file does, by path: the digest of a local one, the stamp of one elsewhere."""
    if listing.remote is not None:
        return {found.path: found.stamp for found in listing.files}
    memo, digests = Memo(listing.root), {}
    for found in listing.files:
        digest = memo.digest(found)
        if digest is None:
            with suppress(OSError):  # the scan says why
                digest = file_sha256(Path(found.place))
                memo.learn(found, digest)
        digests[found.path] = digest or ""
    memo.save()
    return digests


def shown(path: str) -> str:
    """A path for people: line breaks and broken bytes as escapes."""
    return repr(path.encode(errors="backslashreplace").decode())


class Memo:
    """Digests by path and stamp: one object for a whole folder, since thousands of small ones take seconds."""

    def __init__(self, root: str) -> None:
        self.name = f"sources/folders/{sha256(os.fsencode(root))}.json"
        self.known: dict[str, list[str]] = {}
        with suppress(NotFound, ValueError):
            self.known = json.loads(current().read(self.name))
        self.now: dict[str, list[str]] = {}

    def digest(self, found: Found) -> str | None:
        stamp, digest = self.known.get(found.path, ("", ""))
        if stamp != found.stamp:
            return None
        self.now[found.path] = [stamp, digest]
        return digest

    def learn(self, found: Found, digest: str) -> None:
        self.now[found.path] = [found.stamp, digest]

    def save(self) -> None:
        if self.now != self.known:
            current().write(self.name, canonical(self.now))


def stamp_of(facts: os.stat_result) -> str:
    return f"{facts.st_size} {facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_ino}"


def _look_here(root: Path) -> Listing:
    root = root.expanduser()
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise BadInput(f"The folder of documents {root} {what}; name a folder, by the dataset's `path` or by --file.")
    listing = Listing(str(root.resolve()))
    for folder, path in _walk(Path(listing.root), listing):
        _add(listing, folder, path)
    return listing


def _walk(root: Path, listing: Listing) -> Iterator[tuple[Path, os.DirEntry[str]]]:
    """Every entry that is no folder; hidden ones and links to folders are passed over."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        except OSError as error:
            listing.note(str(folder), f"{error.strerror}")
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            else:
                yield root, entry


def _add(listing: Listing, root: Path, entry: os.DirEntry[str]) -> None:
    path = Path(entry.path).relative_to(root).as_posix()
    try:
        path.encode()
        target, facts = Path(entry.path).resolve(), entry.stat()
    except UnicodeEncodeError:
        listing.note(path, "its name is not UTF-8; rename it")
        return
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        listing.note(path, str(getattr(error, "strerror", None) or error))
        return
    if entry.is_symlink() and not target.is_relative_to(root):
        listing.note(path, "it is a link that leaves the folder")
    elif entry.is_symlink() and (target.is_dir() or _hidden(target.relative_to(root))):
        pass  # what it leads to is here already, or is hidden
    elif not stat.S_ISREG(facts.st_mode):
        listing.note(path, "it is no regular file")
    elif not os.access(entry.path, os.R_OK):
        listing.note(path, "it may not be read; correct its rights")
    else:
        listing.files.append(Found(path, entry.path, facts.st_size, stamp_of(facts)))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _look_far(address: str) -> Listing:
    try:
        remote, root = fsspec.core.url_to_fs(expand(address))
        there = remote.find(root, detail=True)
    except (ValueError, ImportError) as error:
        raise BadInput(f"{masked(address)} is no usable address: {masked(str(error))}; correct the path.") from None
    except OSError as error:
        raise Unavailable(f"{masked(address)} cannot be listed: {masked(str(error))}; try again later.") from None
    if not there:
        raise BadInput(f"There is nothing at {masked(address)}; correct the path of the dataset.")
    listing = Listing(masked(address), remote=remote)
    start = len(root.rstrip("/")) + 1
    for place, facts in there.items():
        path = place[start:]
        parts = path.split("/")
        if any(part in ("", "..") or "\0" in part for part in parts):
            listing.note(path, "its name leads elsewhere; rename it")
        elif not any(part.startswith(".") for part in parts):
            stamp = sha256(repr(sorted((key, str(value)) for key, value in facts.items())).encode())
            listing.files.append(Found(path, place, int(facts.get("size") or 0), stamp))
    return listing


def _chosen(path: str, source: FolderSource) -> bool:
    parts = path.split("/")
    included = source.include == ["**/*"] or any(_matches(parts, glob.split("/")) for glob in source.include)
    return included and not any(_matches(parts, glob.split("/")) for glob in source.exclude)


def _matches(parts: list[str], glob: list[str]) -> bool:
    """Whether a path matches a glob, part by part; `**` stands for any number of folders, at the end for all below."""
    if not glob:
        return not parts
    if glob == ["**"]:
        return bool(parts)
    if glob[0] == "**":
        return any(_matches(parts[start:], glob[1:]) for start in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], glob[0]) and _matches(parts[1:], glob[1:])
