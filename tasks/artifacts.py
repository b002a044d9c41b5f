"""The content-addressed store: steps pass references, and bytes appear whole or not at all."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tasks.errors import BadInput, NotFound

MARKER = ".whole"  # beside the objects of a folder, written last; a single object is shown only when it is whole
Meta = Mapping[str, Any] | None


class Artifact(BaseModel):
    """A reference to stored bytes: `uri` relative to the store, `digest` of the content, `kind`, and small facts."""

    model_config = ConfigDict(frozen=True)

    uri: str
    digest: str
    kind: str
    meta: dict[str, Any] = Field(default_factory=dict)


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_join(root: Path, name: str) -> Path:
    """`root/name`, refused where `name` would leave `root`: the one join for names from outside."""
    path = Path(os.path.normpath(root / name))
    if not name or "\0" in name or Path(name).is_absolute() or not path.is_relative_to(root) or path == root:
        raise BadInput(f"The name {name!r} points outside {root}; use a plain relative name.")
    return path


def put_in_place(temporary: Path, target: Path) -> None:
    """Rename; of two writers of the same bytes the first wins (a folder with files in it is not renamed over)."""
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


class Store:
    """A folder of immutable artifacts (`<kind>/<two>/<digest>[.ext]`) and of named objects."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.address = str(root)  # what `store_at` opens it by
        self.seen: dict[str, str] = {}

    def put_bytes(self, kind: str, data: bytes, ext: str = "", meta: Meta = None) -> Artifact:
        with self._aside() as temporary:
            temporary.write_bytes(data)
            return self._move(temporary, self._reference(kind, sha256(data), ext, meta))

    def put_json(self, kind: str, value: object, meta: Meta = None) -> Artifact:
        return self.put_bytes(kind, canonical(value), ".json", meta)

    def put_file(self, kind: str, path: Path, ext: str = "", digest: str | None = None, meta: Meta = None) -> Artifact:
        """Store a copy of a file; `digest` is the content's where that is not the bytes' (tables)."""
        with self._aside() as temporary:
            shutil.copyfile(path, temporary)
            bytes_digest = file_sha256(temporary)
            facts = dict(meta or {}) | ({"sha256": bytes_digest} if digest else {})
            return self._move(temporary, self._reference(kind, digest or bytes_digest, ext, facts))

    def put_folder(self, kind: str, path: Path, meta: Meta = None) -> Artifact:
        """Store a copy of a folder; its digest is over the names and digests of its files."""
        artifact = self._reference(kind, folder_digest(path), "", meta)
        with self._aside() as temporary:
            shutil.copytree(path, temporary)
            return self._move(temporary, artifact)

    def path(self, artifact: Artifact) -> Path:
        """The local path of a whole artifact."""
        if not self.whole(artifact):
            raise NotFound(f"{artifact.uri} is gone from {self.root} or was altered; train again to rebuild it.")
        return self.place(artifact.uri)

    def whole(self, artifact: Artifact) -> bool:
        """There, with the digest it had when it was stored (memoised by path, size, mtime and inode)."""
        path = checked_join(self.root, artifact.uri)
        try:
            stamp = _stamp(path)
        except FileNotFoundError:
            return False
        return bool(self._digest(path, artifact, stamp) == artifact.meta.get("sha256", artifact.digest))

    def read_bytes(self, artifact: Artifact) -> bytes:
        return self.path(artifact).read_bytes()

    def read_json(self, artifact: Artifact) -> Any:
        return json.loads(self.read_bytes(artifact))

    def place(self, name: str) -> Path:
        return checked_join(self.root, name)

    def create(self, name: str, data: bytes) -> bool:
        """Create a named object whole; False where it exists already (of two writers one wins)."""
        target = self.place(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._aside() as temporary:
            temporary.write_bytes(data)
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
        return True

    def write(self, name: str, data: bytes) -> None:
        """Create or replace a named object whole."""
        target = self.place(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._aside() as temporary:
            temporary.write_bytes(data)
            temporary.replace(target)

    def read(self, name: str) -> bytes:
        try:
            return self.place(name).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no {name} in {self.root}.") from None

    def list(self, prefix: str) -> list[str]:
        """The names of the objects in a folder of the store ("": everywhere), sorted."""
        found = _files(self.place(prefix) if prefix else self.root)
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def remove(self, name: str) -> None:
        """Remove a named object, or an artifact by its uri; what is gone already is as good."""
        with self._aside() as temporary, suppress(FileNotFoundError):
            self.place(name).replace(temporary)

    def _reference(self, kind: str, digest: str, ext: str, meta: Meta) -> Artifact:
        return Artifact(uri=f"{kind}/{digest[:2]}/{digest}{ext}", digest=digest, kind=kind, meta=dict(meta or {}))

    @contextmanager
    def _aside(self) -> Iterator[Path]:
        """A path in the store's own file system that is gone afterwards, unless it was moved."""
        folder = self.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            yield Path(name) / "new"

    def _move(self, temporary: Path, artifact: Artifact) -> Artifact:
        target = self.place(artifact.uri)
        if Store.whole(self, artifact):
            return artifact
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and not Store.whole(self, artifact):  # asked again: another writer may have been first
            with suppress(FileNotFoundError):
                target.replace(temporary.with_name("old"))
        put_in_place(temporary, target)
        return artifact

    def _digest(self, path: Path, artifact: Artifact, stamp: str) -> str:
        """The digest of what lies at `path`, computed again only where its stamp has changed."""
        memo = f"memo/{sha256(artifact.uri.encode())}"
        if artifact.uri not in self.seen:
            with suppress(NotFound):
                self.seen[artifact.uri] = Store.read(self, memo).decode()
        known, _, digest = self.seen.get(artifact.uri, "").partition(" ")
        if known != stamp:
            digest = folder_digest(path) if path.is_dir() else file_sha256(path)
            self.seen[artifact.uri] = f"{stamp} {digest}"
            Store.write(self, memo, self.seen[artifact.uri].encode())
        return digest


class RemoteStore(Store):
    """A store behind an fsspec URL (`s3://bucket/prefix`, `gs://`, `abfs://`); `root` mirrors what passed here."""

    def __init__(self, url: str) -> None:
        import fsspec

        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        super().__init__(cache / "penstock" / sha256(url.encode())[:16])
        self.address = url
        self.files, self.base = fsspec.core.url_to_fs(url)

    def whole(self, artifact: Artifact) -> bool:
        there = self._there(artifact.uri)
        if not self.files.exists(f"{there}{MARKER}" if self.files.isdir(there) else there):
            return False
        if not super().whole(artifact):
            with self._aside() as temporary:
                self.files.get(there, str(temporary), recursive=True)
                super()._move(temporary, artifact)
        return super().whole(artifact)

    def create(self, name: str, data: bytes) -> bool:
        """Exclusive by the store's own conditional put."""
        try:
            self.files.pipe_file(self._there(name), data, mode="create")
        except FileExistsError:
            return False
        return True

    def write(self, name: str, data: bytes) -> None:
        self.files.pipe_file(self._there(name), data)

    def read(self, name: str) -> bytes:
        try:
            return bytes(self.files.cat_file(self._there(name)))
        except FileNotFoundError:
            raise NotFound(f"There is no {name} in {self.base}.") from None

    def list(self, prefix: str) -> list[str]:
        start = len(self.base.rstrip("/")) + 1
        return sorted(path[start:] for path in self.files.find(self._there(prefix) if prefix else self.base))

    def remove(self, name: str) -> None:
        for place in (self._there(f"{name}{MARKER}"), self._there(name)):  # without its marker no folder is whole
            if self.files.exists(place):
                self.files.rm(place, recursive=True)
        super().remove(name)

    def _there(self, name: str) -> str:
        checked_join(self.root, name)
        return f"{self.base.rstrip('/')}/{name}"

    def _move(self, temporary: Path, artifact: Artifact) -> Artifact:
        if not self.whole(artifact):
            super()._move(temporary, artifact)
            self._upload(self.place(artifact.uri), self._there(artifact.uri))
        return artifact

    def _upload(self, here: Path, there: str) -> None:
        """Over what is there, which is not whole; an object that the folder does not have goes."""
        if here.is_file():
            self.files.put_file(str(here), there)
            return
        names = {f"{there}/{path.relative_to(here).as_posix()}": str(path) for path in _files(here)}
        self.files.put(list(names.values()), list(names))
        for extra in set(self.files.find(there)) - set(names):
            self.files.rm_file(extra)
        self.files.pipe_file(f"{there}{MARKER}", b"")


def store_at(root: str | Path) -> Store:
    """The store in a folder, or behind an fsspec URL."""
    return RemoteStore(str(root)) if "://" in str(root) else Store(root)


def _stamp(path: Path) -> str:
    """What changes when a file, or a file of a folder, is altered: size, mtime and inode."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    facts = [(stat.st_size, stat.st_mtime_ns, stat.st_ino) for stat in (file.stat() for file in files)]
    return sha256(repr([(str(file), fact) for file, fact in zip(files, facts, strict=True)]).encode())


def folder_digest(path: Path) -> str:
    return sha256(canonical({file.relative_to(path).as_posix(): file_sha256(file) for file in _files(path)}))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


_current: ContextVar[Store] = ContextVar("store")


@contextmanager
def opened(root: str | Path) -> Iterator[Store]:
    """Make the store at `root` the one that steps read and write."""
    store = store_at(root)
    token = _current.set(store)
    try:
        yield store
    finally:
        _current.reset(token)


def current() -> Store:
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError("No store is open: call the step inside `with artifacts.opened(root)`.") from None
