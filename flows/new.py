"""`penstock new`: catalog entry, recipe and whatever else a release of one's own needs, written for review."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from flows import console
from tasks.errors import BadInput
from tasks.registry.recipes import NAME, release_names
from tasks.settings import Settings


def tabular(name: str, path: Path, target: str, settings: Settings) -> None:
    from tasks.tables.inference import infer

    check_name(name, settings)
    proposal = infer(path, name, target)
    files = {"datasets": proposal.dataset, "contracts": proposal.contract, "releases": proposal.recipe}
    write(name, files, proposal.assumptions, settings)


def documents(name: str, folder: Path, settings: Settings) -> None:
    from tasks.documents.inference import infer

    check_name(name, settings)
    proposal = infer(folder, name)
    write(name, {"datasets": proposal.dataset, "releases": proposal.recipe}, proposal.assumptions, settings)


def check_name(name: str, settings: Settings) -> None:
    if not re.fullmatch(NAME, name):
        raise BadInput(f"{name!r} cannot name a release; use a-z, 0-9 and -, at most 63 of them, no - in front.")
    if name in release_names(settings.folders):
        raise BadInput(f"{name} is taken by another release; choose another name.")


def write(name: str, files: dict[str, dict[str, Any]], assumptions: list[str], settings: Settings) -> None:
    """The files of a new release, all or none, and what was assumed in them."""
    places = {kind: settings.project / kind / f"{name}.yaml" for kind in files}
    if taken := [str(place) for place in places.values() if place.exists()]:
        raise BadInput(f"{name} is taken ({', '.join(taken)}); choose another name.")
    for kind, place in places.items():
        write_yaml(place, files[kind])
    for line in assumptions:
        console.out.print(f"  assumed: {line}")
    console.out.print("wrote " + ", ".join(str(place) for place in places.values()))
    console.out.print(f"read them, then: penstock train {name}")


def write_yaml(place: Path, value: object) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=place.parent, suffix=".new", delete=False, encoding="utf-8") as aside:
        yaml.safe_dump(json.loads(json.dumps(value)), aside, sort_keys=False, allow_unicode=True)
    Path(aside.name).replace(place)
