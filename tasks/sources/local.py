"""Local files are looked at before anything is downloaded or started: a wrong one costs a second, not a run."""

from pathlib import Path

from tasks.artifacts import current
from tasks.errors import BadInput
from tasks.sources.catalog import Dataset
from tasks.sources.contracts import Contract
from tasks.sources.layout import Expected, expected_of, kind_of, read_head, text_layout
from tasks.sources.raw import RawFile
from tasks.sources.state import file_digest, local_files


def check_files(dataset: Dataset, contract: Contract, files: dict[str, str]) -> None:
    """Each local file is there, not empty, and has the expected columns; BadInput names the first that is not."""
    for part, paths in local_files(dataset, files).items():
        for path in paths:
            check_file(path, expected_of(dataset, contract, part))


def check_file(path: Path, expected: Expected) -> None:
    """BadInput where the file's head is not what is expected of it; reads no more than that (Excel: all)."""
    try:
        head = read_head(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; check the path and its rights.") from None
    kind = kind_of(head, str(path))
    if kind == "csv":
        text_layout(head, expected, str(path))
        return
    from tasks.sources.formats import check_binary  # pyarrow, which a run with nothing to do on a CSV goes without

    check_binary(path, kind, expected)


def fetch_local(dataset: Dataset, files: dict[str, str]) -> dict[str, list[RawFile]]:
    """The local files of each part, copied into the store."""
    store = current()
    found: dict[str, list[RawFile]] = {}
    for part, paths in local_files(dataset, files).items():
        for path in paths:
            artifact = store.put_file("raw", path)
            if artifact.digest != file_digest(path):
                raise BadInput(f"{path} was changed while it was read; run again when its writer is done.")
            found.setdefault(part, []).append(RawFile(part=part, origin=str(path), artifact=artifact))
    return found
