"""From a catalog entry to raw bytes in the store; files named on the command line replace their part's source."""

from tasks.sources.bundled import fetch_bundled
from tasks.sources.catalog import Dataset, PackageSource, SqlSource, UrlSource
from tasks.sources.database import fetch_sql
from tasks.sources.local import check_files, fetch_local
from tasks.sources.package import fetch_package
from tasks.sources.raw import Raw, RawFile
from tasks.sources.remote import fetch_url
from tasks.sources.state import parse_files, source_state, stated_sha256

__all__ = ["check_files", "fetch", "parse_files", "source_state"]


def fetch(dataset: Dataset, files: dict[str, str], max_age: float = 24.0) -> Raw:
    """The raw bytes of every part; what a remote source gave within `max_age` hours is not asked again (0: always).

    Raises BadInput where a file or source is wrong, Unavailable where the network is (worth another try).
    """
    local = fetch_local(dataset, files)
    found: list[RawFile] = []
    notes: list[str] = []
    for part in dataset.parts:
        if part in local:
            found += local[part]
            notes += _differing(dataset, part, local[part])
            continue
        file, note = _elsewhere(dataset, part, max_age)
        found.append(file)
        notes += [note] if note else []
    return Raw(files=found, source=record(dataset, found), notes=notes)


def record(dataset: Dataset, files: list[RawFile]) -> dict[str, object]:
    """Where the bytes came from, for lineage; origins hold no credentials."""
    return {
        "type": dataset.source.type,
        "licence": dataset.licence,
        "files": [{"part": file.part, "origin": file.origin, "sha256": file.artifact.digest} for file in files],
    }


def _differing(dataset: Dataset, part: str, files: list[RawFile]) -> list[str]:
    """A sentence for local files that are not the one whose sha256 the catalog states."""
    stated = stated_sha256(dataset, part)
    if stated is None or [file.artifact.digest for file in files] == [stated]:
        return []
    given = ", ".join(f"{file.origin} (sha256 {file.artifact.digest[:12]})" for file in files)
    return [f"part {part} of {dataset.name}: {given} is not the file that the catalog states ({stated[:12]})"]


def _elsewhere(dataset: Dataset, part: str, max_age: float) -> tuple[RawFile, str | None]:
    if isinstance(dataset.source, UrlSource):
        return fetch_url(dataset, part, max_age)
    if isinstance(dataset.source, SqlSource):
        return fetch_sql(dataset, max_age), None
    if isinstance(dataset.source, PackageSource):
        return fetch_package(dataset, part), None
    return fetch_bundled(dataset), None
