"""From a registered version to a bento: the kind's package module as a child, its tag written back to the version."""

import json
import subprocess
import sys
from typing import Any

from flows.candidates import present
from flows.kinds import KINDS
from flows.orders import recipe_of
from flows.servers import environment
from tasks.artifacts import opened
from tasks.errors import Refused
from tasks.registry import history, ledger, records
from tasks.registry.aliases import Registry
from tasks.settings import ROOT, Settings


def package(name: str, version: int | None, settings: Settings) -> dict[str, Any]:
    """Build (or find) the bento of a version; returns its tag, path and size."""
    kind = recipe_of(name, settings).kind
    with opened(settings.store) as store:
        number = version or history.champion(ledger.entries(store, name))
        if number is None:
            raise Refused(f"{name} has no champion to package; `penstock train {name}` makes one.")
        record = records.version(store, name, number)
        present(name, record, settings)
        folder = store.path(record.folder)
    words = ["--release", name, "--version", str(number), "--folder", str(folder)]
    command = [sys.executable, "-m", KINDS[kind].bento, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment(settings), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"The bento of {name} version {number} was not built: {done.stderr.strip()[-800:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    with Registry(settings.mlflow_url) as registry:
        registry.set_tag(name, number, "bento.tag", told["bento"])
    return told
