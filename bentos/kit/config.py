"""What a service is told from outside: the settings, and the address that Bento bound it to."""

import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from bentos.kit.keys import Keys, read_keys
from tasks.settings import Settings, load

ANYWHERE = "0.0.0.0"
IN_TIME = 0.8  # of a request's time: a model that is silent for so long is told of, before the request is given up


@dataclass(frozen=True)
class Config:
    """Everything the kit reads; tests build it directly."""

    root: Path = Path("var")
    follow: str | None = None
    release: str | None = None
    folder: Path | None = None
    baked: Path | None = None
    baked_version: str = ""
    mlflow_url: str = ""
    prefect_url: str = ""
    prefect_headers: dict[str, str] = field(default_factory=dict, repr=False)
    store: str = "var/store"
    takes_uploads: bool = True  # whether trainings read the store that uploads go to
    keys: Keys = field(default_factory=lambda: Keys([]))
    poll_s: float = 1.0
    max_body_bytes: int = 4 << 20
    max_batch: int = 1000
    max_concurrency: int = 64
    max_queue: int = 256
    timeout_s: float = 10.0
    threads: int = 2
    max_upload_bytes: int = 20 << 20
    log_text: bool = False
    segment_s: float = 60.0
    pseudonym_key: bytes | None = field(default=None, repr=False)
    trace_share: float = 0.0
    models: tuple[str, ...] = ("champion", "base")
    max_tokens: int = 1024
    max_waiting: int = 32
    generation_s: float = 120.0
    replica: str = "local"
    url: str = ""


def configured(settings: Settings, baked: Path | None, baked_version: str) -> Config:
    host, port = bound()
    return Config(
        root=settings.root,
        follow=settings.follow,
        release=settings.release,
        folder=settings.folder,
        baked=baked,
        baked_version=baked_version,
        mlflow_url=settings.mlflow_url,
        prefect_url=settings.prefect_url,
        prefect_headers=settings.prefect_headers,
        store=settings.store,
        takes_uploads=baked is None or settings.artifacts is not None,
        keys=keys_of(settings),
        poll_s=settings.poll_interval,
        max_body_bytes=settings.max_body_bytes,
        max_batch=settings.max_batch,
        max_concurrency=settings.max_concurrency,
        max_queue=settings.max_queue,
        timeout_s=settings.request_timeout,
        threads=settings.serve_threads,
        max_upload_bytes=settings.max_upload_bytes,
        log_text=settings.log_text,
        segment_s=settings.log_segment_s,
        pseudonym_key=settings.pseudonym_bytes,
        trace_share=settings.trace_share,
        models=tuple(settings.models.split(",")),
        max_tokens=settings.max_tokens,
        max_waiting=settings.max_waiting,
        generation_s=settings.generation_timeout,
        replica=settings.replica or f"{socket.gethostname()}-{port}{worker()}",
        url=f"http://{socket.gethostname() if host == ANYWHERE else host}:{port}",
    )


def homed() -> None:
    """Before the settings of a bento are read, here and in a challenger's process: it holds the code in its own folder,
    and what it writes does not belong there."""
    if load().data_root is None:
        os.environ["PENSTOCK_DATA_ROOT"] = str(Path.home() / ".penstock")


def keys_of(settings: Settings) -> Keys:
    return read_keys(settings.api_keys.get_secret_value() if settings.api_keys else None)


def bound() -> tuple[str, int]:
    """Host and port of this worker: Bento tells its workers by URL, where `localhost` stands for every interface."""
    urls = orjson.loads(os.environ.get("BENTOML_RUNNER_MAP", "{}")).values()
    url = urlsplit(next(iter(urls), "http://127.0.0.1:3000"))
    host = url.hostname or ANYWHERE
    return (ANYWHERE if host == "localhost" else host), url.port or 80


def worker() -> str:
    """A suffix for the second and later workers of one service: each is a replica of its own."""
    from bentoml._internal.context import server_context

    index = server_context.worker_index or 1
    return f"-w{index}" if index > 1 else ""


def loading() -> Settings:
    """The settings for loaders: they also run in a challenger's process, which has no Config."""
    return load()
