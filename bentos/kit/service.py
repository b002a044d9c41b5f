"""The BentoML side: a service class whose ASGI app is the kit's shell, and the settings read when a worker starts."""

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click
from _bentoml_sdk import Service
from bentoml._internal.configuration.containers import BentoMLContainer
from fastapi import FastAPI
from starlette.types import ASGIApp

from bentos.kit.config import bound, configured, homed, keys_of
from bentos.kit.desk import Desk
from bentos.kit.keys import check_binding
from bentos.kit.shell import Shell
from tasks.errors import PenstockError
from tasks.settings import load

logger = logging.getLogger("penstock")

# what every service passes to @bentoml.service: loopback, one worker, nothing of Bento's in the way of a request
QUIET: dict[str, Any] = {
    "http": {"host": "127.0.0.1"},
    "workers": 1,
    "traffic": {"timeout": 600},
    "metrics": {"enabled": False},
    "tracing": {"excluded_urls": [".*"]},
    "logging": {"access": {"enabled": False}},
    "envs": [{"name": "OMP_NUM_THREADS", "value": "1"}, {"name": "BENTOML_DO_NOT_TRACK", "value": "true"}],
}


class KitService(Service[Any]):
    """Puts the shell outside everything; the service's class names its `app` and its `desk`."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        app: FastAPI = self.inner.app
        desk: Desk[Any] = self.inner.desk
        logging.getLogger("penstock").setLevel(logging.INFO)
        logging.getLogger("uvicorn.access").propagate = False  # without a handler uvicorn writes no access log
        try:
            folder, version = self.baked()
            if folder is not None:
                homed()
            desk.config = configured(load(), folder, version)
            check_binding(bound()[0], desk.config.keys)
        except PenstockError as error:
            logger.critical("%s", error)
            give_up()
        return Shell(app, desk, lifespan=super().to_asgi(is_main=is_main))

    def baked(self) -> tuple[Path | None, str]:
        """Folder and version of the release that was built into the bento, where a bento is served."""
        if self.bento is None or not self.bento.info.all_models:
            return None, ""
        model = self.bento.info.all_models[0].to_model().resolve()
        return Path(model.path), str(model.tag.version).removeprefix("v")


def before_start() -> None:
    """In Bento's supervisor, before it listens: end with status 1 where the settings or the address forbid to serve."""
    context = click.get_current_context(silent=True)
    host = (context.params.get("host") if context else None) or BentoMLContainer.http.host.get()
    try:
        check_binding(host, keys_of(load()))
    except PenstockError as error:
        sys.exit(str(error))


def give_up() -> None:
    """End the whole server, however it was started: its supervisor would start a worker that fails anew for ever."""
    if os.environ.get("BENTOML_RUNNER_MAP"):
        os.kill(os.getppid(), signal.SIGTERM)
    raise SystemExit(1)
