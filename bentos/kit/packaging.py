"""A registered version as a bento: its files in BentoML's model store, the rooms that serve it, pinned packages."""

import argparse
import importlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import bentoml
from bentoml.exceptions import NotFound
from bentoml.images import Image

from bentos.kit import pieces
from bentos.kit.handle import RELEASE_FILE, read_release
from bentos.kit.requirements import pinned
from tasks.artifacts import canonical, file_sha256, sha256
from tasks.errors import PenstockError, Refused
from tasks.settings import ROOT

ROOMS = ("bentos", "tasks")
STARTED = "bentos.kit.challenger"  # by the service, as a process: no import leads to it
NOT_SERVED = ("bentos.kit.packaging", "bentos.kit.requirements")


def main(service: str, group: str) -> None:
    """Build the bento of `--release`, `--version`, `--folder` and print one line of JSON; exit 1 with a sentence."""
    parser = argparse.ArgumentParser(description="Package a registered version as a bento.")
    parser.add_argument("--release", required=True)
    parser.add_argument("--version", required=True, type=int)
    parser.add_argument("--folder", required=True, type=Path)
    given = parser.parse_args()
    try:
        told = build(service, group, given.release, given.version, given.folder)
    except PenstockError as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(told) + "\n")


def build(service: str, group: str, release: str, version: int, folder: Path) -> dict[str, Any]:
    """Model and bento of a version, made once: a second call finds them."""
    model = store(release, version, folder)
    files = served_files(service.partition(":")[0])
    packages = pinned(group, ROOT)
    content = {path.relative_to(ROOT).as_posix(): file_sha256(path) for path in files}
    digest = sha256(canonical([content, packages, model.info.labels, bentoml.__version__]))
    tag = f"{release}:v{version}-{digest[:8]}"
    try:
        bento = bentoml.get(tag)
    except NotFound:
        bento = _build(service, tag, files, packages, model)
    size = sum(_size(Path(one.path)) for one in (bento, model))
    told = {"bento": tag, "model": str(model.tag), "path": str(bento.path)}
    return told | {"size_mb": round(size / 2**20, 3)}


def store(release: str, version: int, folder: Path) -> Any:
    """The release's files as the model `<release>:v<version>`; Refused where that tag holds other files."""
    facts, digest = read_release(folder)
    if facts.release != release:
        raise Refused(f"The folder {folder} holds the release {facts.release}, not {release}; name its own folder.")
    tag = f"{release}:v{version}"
    try:
        model = bentoml.models.get(tag)
    except NotFound:
        labels = {"release": release, "version": str(version), "digest": digest}
        with bentoml.models.create(tag, labels=labels) as model:
            for name in (RELEASE_FILE, *facts.files):
                target = Path(model.path_of(name))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, target)
            bake(folder, Path(model.path))
        model = bentoml.models.get(tag)
    if model.info.labels.get("digest") != digest:
        raise Refused(f"BentoML's model store holds another {tag}; remove it with `bentoml models delete {tag}`.")
    return model


def bake(folder: Path, target: Path) -> None:
    """Copy the large artifacts that the release names: an image needs no artifact store."""
    facts, _ = read_release(folder)
    for artifact in pieces.named(folder, facts.model_extra or {}):
        source, there = pieces.piece(folder, artifact), pieces.place(target, artifact)
        there.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, there, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, there)


def served_files(module: str) -> list[Path]:
    """The project's files that the service imports, and the packages they stand in."""
    for name in (module, STARTED):
        importlib.import_module(name)
    names = [name for name in sys.modules if name.split(".")[0] in ROOMS and name not in NOT_SERVED]
    found = {Path(file) for name in names if (file := getattr(sys.modules[name], "__file__", None))}
    if page := sys.modules.get("bentos.kit.page"):
        found |= {*page.FOLDER.iterdir()}
    if "tasks.watching.costs" in sys.modules:
        found.add(ROOT / "data" / "prices.yaml")
    return sorted(path for path in found if path.is_relative_to(ROOT) and path.name != "package.py")


def _build(service: str, tag: str, files: list[Path], packages: list[str], model: Any) -> Any:
    """From a folder that holds the served files and nothing else, so that no secret can slip in."""
    name, _, version = tag.partition(":")
    module, _, attribute = service.partition(":")
    getattr(sys.modules[module], attribute).image = _image(packages)
    with tempfile.TemporaryDirectory(prefix="penstock-bento-") as context:
        for path in files:
            target = Path(context, path.relative_to(ROOT))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        labels = dict(model.info.labels)
        return bentoml.build(
            service,
            name=name,
            version=version,
            labels=labels,
            models=[str(model.tag)],
            build_ctx=context,
            include=["**"],
        )


def _image(packages: list[str]) -> Image:
    """Slim, without a compiler; LightGBM needs libgomp."""
    install = "apt-get install -y --no-install-recommends libgomp1"
    image = Image(base_image="python:3.11-slim", distro="none", python_version="3.11", lock_python_packages=False)
    return image.run(f"apt-get update && {install} && rm -rf /var/lib/apt/lists/*").python_packages(*packages)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
