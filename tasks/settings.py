"""All settings, in one place: defaults < [tool.penstock] in pyproject < .env < .env.$PENSTOCK_ENV < environment."""

import base64
import difflib
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    PyprojectTomlConfigSettingsSource,
    SettingsConfigDict,
)

from tasks.errors import BadInput

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "PENSTOCK_"
OUTSIDE = {"PENSTOCK_ENV", "PENSTOCK_TORCH", "PENSTOCK_TEST_DATA"}  # read elsewhere: before the settings, or by tests


class Settings(BaseSettings):
    """Build it with `load()`: that turns a mistake into one clear paragraph."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        pyproject_toml_table_header=("tool", "penstock"),
    )

    # where things are
    project: Path = Field(ROOT / "data", description="Folder of your own datasets/, releases/ and contracts/")
    data_root: Path | None = Field(None, description="Folder of everything produced; default: var/ in PENSTOCK_PROJECT")
    artifacts: str | None = Field(None, description="Artifact store; default: store/ in the data root")
    # local servers
    prefect_port: int = Field(4200, description="Port of the local Prefect server")
    mlflow_port: int = Field(5000, description="Port of the local MLflow server")
    start_timeout: float = Field(180, description="Seconds that a local server may take to start")
    # training
    threads: int = Field(2, ge=1, description="Threads of one training: cores divided by concurrent trainings")
    gpus: int = Field(1, ge=1, description="GPUs that one fine-tuning uses, by `accelerate launch`")
    remote_age: float = Field(24, description="Hours for which a remote source counts as unchanged")
    judge: str | None = Field(None, description="Model that judges answers, at OPENAI_BASE_URL; unset: no judge")
    judge_ragas: str | None = Field(None, description="Python of an environment with RAGAS, which then judges")
    judge_embeddings: str | None = Field(None, description="Embedding model at the same endpoint, for RAGAS")
    # services
    port: int = Field(3000, description="Port of a service that `penstock serve` starts")
    release: str | None = Field(None, description="Release that a service follows")
    follow: str | None = Field(
        None, description="Alias that a service follows, such as champion; unset: the baked version"
    )
    folder: Path | None = Field(None, description="Folder with a release.json, served as it is")
    api_keys: SecretStr | None = Field(None, description="File with named API keys (JSON, sha256), or the JSON itself")
    poll_interval: float = Field(1.0, gt=0, description="Seconds between two looks at the followed alias")
    max_body_bytes: int = Field(4 << 20, ge=1, description="Largest request body")
    max_batch: int = Field(1000, ge=1, description="Most rows in one request")
    max_concurrency: int = Field(64, ge=1, description="Requests answered at the same time")
    max_queue: int = Field(256, ge=0, description="Requests that may wait; more are answered 429")
    request_timeout: float = Field(10.0, gt=0, description="Seconds until a request is answered 504")
    serve_threads: int = Field(2, ge=1, description="Long requests that a service works on at once; more with an LLM")
    embed_threads: int = Field(1, ge=1, description="Threads that embed one question in a service")
    max_upload_bytes: int = Field(20 << 20, ge=1, description="Largest document that /v1/documents takes")
    engine: Literal["transformers", "openai"] = Field(
        "transformers", description="Who writes for an assistant: its own model, or the server at OPENAI_BASE_URL"
    )
    engine_threads: int = Field(1, ge=1, description="Threads of the engine `transformers`; more only on idle cores")
    upstream_model: str | None = Field(None, description="What the engine `openai` calls the model of the release")
    models: str = Field(
        "champion,base",
        pattern=r"^(champion|base|challenger|v[1-9][0-9]*)(,(champion|base|challenger|v[1-9][0-9]*))*$",
        description="Models that an assistant offers: champion, base, challenger, or versions such as v3",
    )
    max_tokens: int = Field(1024, ge=1, description="Longest answer of an assistant")
    max_waiting: int = Field(32, ge=1, description="Answers that may wait for their turn; more requests get 429")
    generation_timeout: float = Field(120.0, gt=0, description="Seconds until an assistant's answer is given up")
    drafts: str | None = Field(
        None, description="Model at OPENAI_BASE_URL that picks what drafts say; unset: by template"
    )
    log_text: bool = Field(False, description="Whether questions and answers are kept as text; feedback always is")
    log_segment_s: float = Field(60.0, gt=0, description="Seconds after which a segment of the log is sent off")
    log_days: float = Field(90.0, gt=0, description="Days for which the log is kept in the artifact store")
    pseudonym_key: SecretStr | None = Field(
        None, description="Key that hashes personal fields; unset: they are dropped"
    )
    trace_share: float = Field(0.1, ge=0, le=1, description="Share of the questions that is traced in MLflow; 0: none")
    replica: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of a serving process; default: host and port",
    )
    # watching
    alerts: SecretStr | None = Field(None, description="Who is told of alerts: Apprise URLs, separated by commas")
    late_after: float = Field(10, ge=0.2, description="Minutes after which a run that does not start is told as late")
    long_after: float = Field(240, ge=0.2, description="Minutes after which a run that does not end is told")
    metrics_port: int = Field(9110, description="Port of the metrics of runs and releases, by `penstock metrics`")

    @property
    def root(self) -> Path:
        return (self.data_root or self.project / "var").resolve()

    @property
    def store(self) -> str:
        return self.artifacts or str(self.root / "store")

    @property
    def pseudonym_bytes(self) -> bytes | None:
        return self.pseudonym_key.get_secret_value().encode() if self.pseudonym_key else None

    @property
    def folders(self) -> list[Path]:
        """Where datasets, recipes and contracts are looked up: the user's project first, then the box."""
        return list(dict.fromkeys([self.project.resolve(), ROOT / "data"]))

    @property
    def local_prefect(self) -> str:
        return f"http://127.0.0.1:{self.prefect_port}/api"

    @property
    def local_mlflow(self) -> str:
        return f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def prefect_url(self) -> str:
        """API of Prefect: the native variable wins."""
        return os.environ.get("PREFECT_API_URL") or self.local_prefect

    @property
    def prefect_headers(self) -> dict[str, str]:
        """What Prefect's API asks of its callers, by the native variables."""
        if key := os.environ.get("PREFECT_API_KEY"):
            return {"Authorization": f"Bearer {key}"}
        if told := os.environ.get("PREFECT_API_AUTH_STRING"):
            return {"Authorization": f"Basic {base64.b64encode(told.encode()).decode()}"}
        return {}

    @property
    def mlflow_url(self) -> str:
        """Tracking server of MLflow: the native variable wins."""
        return os.environ.get("MLFLOW_TRACKING_URI") or self.local_mlflow

    @property
    def qdrant(self) -> tuple[str, str | None] | None:
        """URL and key of a Qdrant server, by the native variables; None: the embedded index."""
        url = os.environ.get("QDRANT_URL")
        return (url, os.environ.get("QDRANT_API_KEY")) if url else None

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_args: Any, **_kwargs: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, *sources(settings_cls).values())


def sources(settings_cls: type[BaseSettings]) -> dict[str, PydanticBaseSettingsSource]:
    """Where values come from, the strongest first."""
    profile = os.environ.get("PENSTOCK_ENV")
    files = [f".env.{profile}", ".env"] if profile else [".env"]
    return {
        "environment": EnvSettingsSource(settings_cls),
        **{name: DotEnvSettingsSource(settings_cls, ROOT / name) for name in files},
        "pyproject.toml": PyprojectTomlConfigSettingsSource(settings_cls, ROOT / "pyproject.toml"),
    }


def load() -> Settings:
    """The settings of this process; an unknown or unusable one is an error that says how to mend it."""
    for where, source in sources(Settings).items():
        if isinstance(source, EnvSettingsSource):
            refuse_unknown(where, [name.upper() for name in source.env_vars if name.upper().startswith(PREFIX)])
        elif isinstance(source, PyprojectTomlConfigSettingsSource):
            refuse_unknown(where, [f"{PREFIX}{name}".upper() for name in source.toml_data])
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{first['loc'][0]}".upper()
        raise BadInput(f"The setting {name} cannot be {first['input']!r}: {first['msg']}.") from None


def refuse_unknown(where: str, names: list[str]) -> None:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | OUTSIDE
    for name in set(names) - known:
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0)[0]
        raise BadInput(f"There is no setting {name} (in the {where}); the nearest is {near}. See `penstock config`.")


def origins(settings: Settings) -> dict[str, tuple[Any, str]]:
    """Each setting with its value and where it came from."""
    given = [(where, source()) for where, source in sources(Settings).items()]
    return {
        name: (getattr(settings, name), next((where for where, values in given if name in values), "default"))
        for name in Settings.model_fields
    }
