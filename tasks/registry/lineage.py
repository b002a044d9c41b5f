"""Lineage: where code and data of a version come from, as tags of the version; works without git."""

import shutil
import subprocess
from importlib.metadata import distributions
from pathlib import Path

from pydantic import BaseModel, ConfigDict

SECONDS = 10


class Commit(BaseModel):
    """The commit of a checkout, and whether its files differ from it, new ones that git does not ignore included."""

    model_config = ConfigDict(frozen=True)

    commit: str = ""
    dirty: bool = False


def git_commit(folder: Path) -> Commit:
    """The commit that `folder` is checked out at; empty where git, a repository or a commit is missing."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return Commit()
    return Commit(commit=commit, dirty=bool(_git(folder, "status", "--porcelain", "--untracked-files=normal")))


def tags(
    commit: Commit,
    data_digest: str,
    data_version: int,
    code_digest: str,
    flow_run_id: str = "",
    deployment: str = "",
    md5: str = "",
) -> dict[str, str]:
    """The lineage tags of a version; what is not known is left out. `md5` is that of the `.dvc` pointer."""
    known = {
        "git.commit": commit.commit,
        "git.dirty": str(commit.dirty).lower() if commit.commit else "",
        "data.digest": data_digest,
        "data.version": str(data_version),
        "dvc.md5": md5,
        "code.digest": code_digest,
        "prefect.flow_run_id": flow_run_id,
        "prefect.deployment": deployment,
    }
    return {key: value for key, value in known.items() if value}


def environment() -> str:
    """Every installed distribution with its version, as requirements."""
    found = {item.name.lower(): f"{item.name}=={item.version}\n" for item in distributions() if item.name}
    return "".join(found[name] for name in sorted(found))


def _git(folder: Path, *words: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
