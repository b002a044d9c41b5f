"""The present state of a dataset's sources, cheap enough to ask before every run, and the files that `--file` names."""

import glob
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel

from tasks.artifacts import Artifact, canonical, current, file_sha256, sha256
from tasks.errors import BadInput, NotFound
from tasks.sources.catalog import (
    ONE,
    Dataset,
    FileSource,
    FolderSource,
    GeneratorSource,
    PackageSource,
    SklearnSource,
    SqlSource,
    UrlSource,
    expand,
    masked,
)


class Held(BaseModel):
    """What a remote source gave when it was last asked."""

    schema_version: int = 1
    sha256: str
    artifact: Artifact
    fetched_at: float


def parse_files(dataset: Dataset, entries: Iterable[str]) -> dict[str, str]:
    """`--file PATH` and `--file part=PATH` as {part: absolute path or glob}."""
    files: dict[str, str] = {}
    for entry in entries:
        part, path = _split(dataset, entry)
        if part in files:
            raise BadInput(f"--file names the part {part!r} of {dataset.name} twice; give one path, or a glob.")
        files[part] = str(Path(path).expanduser().absolute())
    return files


def local_files(dataset: Dataset, files: dict[str, str]) -> dict[str, list[Path]]:
    """The local files of each part that has some: what was named, else what the catalog's file source says."""
    if unknown := [part for part in files if part not in dataset.parts]:
        raise BadInput(f"{dataset.name} has no part {unknown[0]!r}; its parts are: {', '.join(dataset.parts)}.")
    if isinstance(dataset.source, FolderSource):
        raise BadInput(f"{dataset.name} is a folder of documents, not a table; name it in a recipe of kind documents.")
    named = (dataset.source.files if isinstance(dataset.source, FileSource) else {}) | files
    return {part: _expand(named[part], f"{dataset.name}, part {part}") for part in dataset.parts if part in named}


def source_state(dataset: Dataset, files: dict[str, str], max_age: float = 24.0) -> str:
    """A digest that changes when the sources do.

    Local files count by content; a remote source counts as unchanged for `max_age` hours after it was last asked,
    one with a stated sha256 for ever. One that must be asked is never the same twice. The order within the parts
    counts, the names of the files do not.
    """
    state: dict[str, object] = {
        part: [file_digest(path) for path in paths] for part, paths in local_files(dataset, files).items()
    }
    for part in dataset.parts:
        if part not in state:
            state[part] = _remote_state(dataset, part, max_age)
    return sha256(canonical(state))


def file_digest(path: Path) -> str:
    """The sha256 of a file, remembered by its path, size, mtime and inode."""
    stat = path.stat()
    stamp = sha256(repr((str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino)).encode())
    try:
        return current().read(f"sources/files/{stamp}").decode()
    except NotFound:
        digest = file_sha256(path)
        current().write(f"sources/files/{stamp}", digest.encode())
        return digest


def held(key: str, max_age: float) -> Held | None:
    """What the remote source with this key gave, if that is younger than `max_age` hours and still whole."""
    try:
        record = Held.model_validate_json(current().read(_name(key)))
    except NotFound:
        return None
    young = time.time() - record.fetched_at < max_age * 3600
    return record if young and current().whole(record.artifact) else None


def hold(key: str, artifact: Artifact) -> None:
    """Remember what a remote source gave: the digest that it is held to from now on."""
    record = Held(sha256=artifact.digest, artifact=artifact, fetched_at=time.time())
    current().write(_name(key), record.model_dump_json().encode())


def remote_key(dataset: Dataset, part: str) -> str:
    """What names a remote source: its address, of which the values of variables count by their digest alone."""
    source = dataset.source
    if isinstance(source, UrlSource):
        url = source.parts[part].url
        return f"url {url} {_address(url)}"
    assert isinstance(source, SqlSource)
    return f"sql {masked(source.url)} {_address(source.url)} {source.query}"


def _remote_state(dataset: Dataset, part: str, max_age: float) -> str:
    source = dataset.source
    if isinstance(source, PackageSource):
        return source.files[part]
    if isinstance(source, UrlSource) and (pinned := source.parts[part].sha256):
        return pinned
    if isinstance(source, SklearnSource):
        return f"{source.loader} {metadata.version('scikit-learn')}"
    if isinstance(source, GeneratorSource):
        return f"{source.name} {source.rows} {source.seed} {file_sha256(Path(__file__).with_name('generators.py'))}"
    record = held(remote_key(dataset, part), max_age)
    return record.sha256 if record else f"to be asked at {time.time()}"


def stated_sha256(dataset: Dataset, part: str) -> str | None:
    """The sha256 that the catalog states of a part's file; of an archive it says nothing about the file inside."""
    source = dataset.source
    if isinstance(source, PackageSource):
        return source.files[part]
    if isinstance(source, UrlSource) and not source.parts[part].member:
        return source.parts[part].sha256
    return None


def _address(url: str) -> str:
    """Tells the databases apart that one ${VARIABLE} may name."""
    return sha256(expand(url).encode())[:16]


def _split(dataset: Dataset, entry: str) -> tuple[str, str]:
    part, equals, path = entry.partition("=")
    if equals and part in dataset.parts and path:
        return part, path
    parts = ", ".join(dataset.parts)
    if equals and not Path(entry).exists() and "/" not in part:
        raise BadInput(f"--file {entry}: {dataset.name} has no part {part!r} with a path; its parts are: {parts}.")
    if len(dataset.parts) > 1:
        raise BadInput(f"--file {entry}: {dataset.name} has the parts {parts}; write --file {dataset.parts[0]}=PATH.")
    if not entry:
        raise BadInput(f"--file needs a path, as in --file {ONE}.csv.")
    return dataset.parts[0], entry


def _expand(pattern: str, what: str) -> list[Path]:
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        raise BadInput(f"{pattern} ({what}) is a folder; name a file, or all of them as {pattern}/*.csv.")
    whole = path.absolute()
    matches = Path(whole.anchor).glob(str(whole.relative_to(whole.anchor)))
    found = sorted(match for match in matches if match.is_file())
    if not found:
        kind = "matches no file" if glob.has_magic(pattern) else "does not exist"
        raise BadInput(f"{pattern} ({what}) {kind}; check the path, or leave it out to use the dataset's own source.")
    return found


def _name(key: str) -> str:
    return f"sources/remote/{sha256(key.encode())}.json"
