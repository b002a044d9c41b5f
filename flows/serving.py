"""`penstock serve`: the kind's BentoML service, following the champion."""

import os
import socket
import sys

from flows import servers
from flows.kinds import KINDS
from flows.orders import recipe_of
from tasks.artifacts import store_at
from tasks.errors import BadInput, Refused
from tasks.registry import ledger
from tasks.registry.history import champion
from tasks.settings import ROOT, Settings


def serve(name: str, port: int | None, settings: Settings) -> None:
    """Become the service: this process is replaced, so that signals reach it."""
    kind = recipe_of(name, settings).kind
    if settings.folder:
        raise BadInput(f"PENSTOCK_FOLDER={settings.folder} would be served in place of {name}: unset it.")
    champion_of(name, settings)
    port = settings.port if port is None else port
    refuse_held(port)
    servers.ready(settings)
    env = servers.environment(settings) | {"PENSTOCK_RELEASE": name, "PENSTOCK_FOLLOW": "champion"}
    sys.stderr.write(f"{name} on http://127.0.0.1:{port} (API at /docs, ready at /ready); Ctrl-C ends it\n")
    command = ["bentoml", "serve", KINDS[kind].service, "--host", "127.0.0.1", "--port", str(port)]
    os.execve(sys.executable, [sys.executable, "-m", *command, "--working-dir", str(ROOT)], env)


def champion_of(name: str, settings: Settings) -> int:
    """The version to serve; Refused where there is none."""
    version = champion(ledger.entries(store_at(settings.store), name))
    if version is None:
        raise Refused(f"{name} has no champion to serve yet; `penstock train {name}` makes one.")
    return version


def refuse_held(port: int) -> None:
    if not 0 < port < 65_536:
        raise BadInput(f"--port {port}: ports go from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            pid = servers.listeners().get(port)
            holder = servers.described(pid) if pid else "another program"
            raise Refused(f"Port {port} is in use by {holder}; end that, or name another port with --port.") from None
