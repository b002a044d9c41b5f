"""What all tests share: a clean environment, a store, a Prefect server for flows, the real tables."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tasks import artifacts
from tests import mlflow_server
from tests.prefect_server import running

FOREIGN = ("PENSTOCK_", "PREFECT_", "MLFLOW_", "BENTOML_", "BENTO_", "QDRANT_", "OPENAI_", "AWS_", "HF_", "OTEL_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")
SHARED = Path(os.environ.get("PENSTOCK_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
QDRANT = os.environ.get("QDRANT_URL")
homes = pytest.StashKey[Path]()


def clean(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Nothing of the caller's own settings, servers, keys and proxies reaches a test or its children."""
    for name in list(os.environ):
        if name.upper().startswith(FOREIGN) or name.lower() in PROXIES:
            patch.delenv(name)
    quiet = {
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(home / "bentoml"),
        "DO_NOT_TRACK": "1",
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",  # a flow without the fixture fails at once
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    for name, value in quiet.items():
        patch.setenv(name, value)


def pytest_configure(config: pytest.Config) -> None:
    # a machine may be busy: time proves nothing here
    hypothesis.settings.register_profile(
        "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("patient")
    # before collection: Prefect and MLflow read the environment when they are imported
    config.stash[homes] = Path(tempfile.mkdtemp(prefix="penstock-tests-"))
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    clean(patch, config.stash[homes])


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[homes], ignore_errors=True)


@pytest.fixture(autouse=True)
def data_root(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A clean environment and a data root of the test's own."""
    clean(monkeypatch, pytestconfig.stash[homes])
    root = tmp_path / "var"
    monkeypatch.setenv("PENSTOCK_DATA_ROOT", str(root))
    return root


@pytest.fixture
def store(tmp_path: Path) -> Iterator[artifacts.Store]:
    """The open store that step functions write to."""
    with artifacts.opened(tmp_path / "store") as store:
        yield store


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real tables and documents that are too large or not ours to ship."""
    if not SHARED.is_dir():
        pytest.skip(f"no test data in {SHARED}: set PENSTOCK_TEST_DATA to a folder with tables/ and pdfs/")
    return SHARED


@pytest.fixture(scope="session")
def qdrant_url() -> str | None:
    """A Qdrant server that the caller offers for tests."""
    return QDRANT


@pytest.fixture(scope="session")
def prefect_server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API URL of a server of the session's own; flows run in the test process use it."""
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_LOGGING_TO_API_ENABLED,
        temporary_settings,
    )

    assert pytestconfig.cache is not None
    with running(pytestconfig.cache.mkdir("prefect"), tmp_path_factory.mktemp("prefect")) as api:
        lean = {
            PREFECT_API_URL: api,
            PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,  # a synchronous run waits up to a second for its heartbeat's end
            PREFECT_LOGGING_TO_API_ENABLED: False,
        }
        with temporary_settings(lean):
            yield api


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an MLflow server of the session's own; releases of several tests need several names."""
    with mlflow_server.running(tmp_path_factory.mktemp("mlflow")) as url:
        yield url
