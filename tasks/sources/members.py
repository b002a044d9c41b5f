"""Files inside zip archives that a URL brings."""

import io
import zipfile

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.sources.catalog import Dataset, UrlSource
from tasks.sources.raw import RawFile


def member_of(file: RawFile, dataset: Dataset) -> str | None:
    """The name of the file in the archive that was fetched; None: the file is what was fetched, or a local one."""
    source = dataset.source
    return source.parts[file.part].member if isinstance(source, UrlSource) and file.fetched else None


def bytes_of(artifact: Artifact, member: str | None, origin: str) -> bytes:
    data = current().read_bytes(artifact)
    return unpacked(data, member, origin) if member else data


def unpacked(data: bytes, name: str, origin: str) -> bytes:
    """One file out of a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(name)
    except KeyError:
        raise BadInput(f"{origin} has no file {name!r}; put the right name into `member` of the dataset.") from None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise BadInput(f"{origin} cannot be unpacked ({error}); fetch it again, or drop `member`.") from None
