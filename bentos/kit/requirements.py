"""What the image of a service installs: its group in pyproject.toml and all that follows from it, at exact versions."""

import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tasks.errors import BadInput

# the image's interpreter, whatever builds it
IMAGE = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "python_version": "3.11"}


def pinned(group: str, root: Path) -> list[str]:
    """`name==version` of the group's distributions and theirs, sorted; versions from constraints.txt."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    versions = _constraints(root / "constraints.txt")
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [Requirement(text) for text in project["optional-dependencies"][group]]
    while waiting:
        wanted = waiting.pop()
        name, label = canonicalize_name(wanted.name), str(wanted)
        if label in seen:
            continue
        seen.add(label)
        if name not in versions:
            raise BadInput(
                f"{name}, which {group} installs, has no version in {root / 'constraints.txt'}; add it there."
            )
        found[name] = f"{name}=={versions[name]}"
        waiting += _needs(wanted)
    return sorted(found.values())


def _needs(wanted: Requirement) -> list[Requirement]:
    """The requirements of a distribution with its extras, as they apply in the image."""
    try:
        texts = requires(wanted.name) or []
    except PackageNotFoundError:  # for the image's platform only
        return []
    needs = [Requirement(text) for text in texts]
    return [one for one in needs if one.marker is None or _applies(one.marker, ["", *wanted.extras])]


def _applies(marker: Marker, extras: list[str]) -> bool:
    return any(marker.evaluate(IMAGE | {"extra": extra}) for extra in extras)


def _constraints(path: Path) -> dict[str, str]:
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    pairs = [line.partition(";")[0].partition("==") for line in lines if line]
    return {canonicalize_name(name.strip()): version.strip() for name, _, version in pairs}
