"""MLflow over plain HTTP, for services: which version an alias names, and its files, every one checked."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.artifacts import checked_join, file_sha256, put_in_place, sha256
from tasks.errors import BadInput, NotFound, Refused, Unavailable

RELEASE = "release.json"
RELEASE_DIGEST = "penstock.release_digest"
SPLIT = "penstock.split"
TIMEOUT = httpx.Timeout(10, connect=2)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # an alias that is not set answers with the second


def ledger_tag(alias: str) -> str:
    """The tag that holds the digest of the ledger entry which put the alias on the version."""
    return f"penstock.ledger.{alias}"


class Terms(BaseModel):
    """Of a split, in a tag of its version: the share (0 to 1) of the traffic that the version takes from the champion
    `against`, `until` when (seconds since the epoch), by which `entry` of the ledger."""

    model_config = ConfigDict(frozen=True)

    against: str
    share: float
    until: float
    entry: str


class VersionInfo(BaseModel):
    """A registered version as MLflow tells it."""

    model_config = ConfigDict(frozen=True)

    release: str
    version: int
    run_id: str
    tags: dict[str, str] = Field(default_factory=dict)

    def admitted(self, alias: str) -> bool:
        """Whether the ledger put the alias here; an alias moved by hand is outside the ledger, and not served."""
        return ledger_tag(alias) in self.tags

    def terms(self, alias: str) -> Terms | None:
        """Those of the split that put the alias here; None where the ledger wrote none, or others."""
        try:
            terms = Terms.model_validate_json(self.tags.get(SPLIT, ""))
        except ValidationError:
            return None
        return terms if self.tags.get(ledger_tag(alias)) == terms.entry else None


class Mlflow:
    """A client of one MLflow server; keeps its connection, so that a service may ask every second."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # a proxy of the environment would be asked for this very machine otherwise
        direct = httpx.URL(self.url).host in LOOPBACK
        self.http = httpx.Client(base_url=self.url, timeout=TIMEOUT, trust_env=not direct)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    def alias(self, release: str, alias: str) -> VersionInfo | None:
        """The version that the alias names; None where it names none."""
        answer = self.call("GET", "registered-models/alias", {"name": release, "alias": alias}, ABSENT)
        return version_info(answer["model_version"]) if answer else None

    def version(self, release: str, number: int) -> VersionInfo:
        answer = self.call("GET", "model-versions/get", {"name": release, "version": str(number)}, ABSENT)
        if not answer:
            raise NotFound(
                f"There is no version {number} of {release} in MLflow at {self.url}; see `penstock history {release}`."
            )
        return version_info(answer["model_version"])

    def download(self, version: VersionInfo, folder: Path) -> Path:
        """The version's release folder at `folder`, checked file by file; what is there already and whole stays.

        Refused: `release.json` is not the one that was registered, or a file is not the one that it names."""
        expected = version.tags.get(RELEASE_DIGEST)
        if not expected:
            raise Refused(f"{_name(version)} has no tag {RELEASE_DIGEST}: it was not registered by Penstock.")
        if not faults(folder, expected):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".download-") as name:
            aside = Path(name) / "new"
            self._fetch(version, aside, expected)
            wrong = faults(aside, expected)
            if wrong:
                raise Refused(f"{_name(version)} at {self.url} is not what was registered: {'; '.join(wrong)}.")
            with suppress(FileNotFoundError):
                folder.rename(Path(name) / "old")
            put_in_place(aside, folder)  # another worker may be first, with the same bytes
        return folder

    def call(
        self, method: str, path: str, values: dict[str, Any], absent: tuple[str, ...] = (), api: str = "2.0"
    ) -> dict[str, Any]:
        """One REST call; {} where the server says, with one of the codes in `absent`, that it is not there."""
        given: dict[str, Any] = {"params": values} if method == "GET" else {"json": values}
        answer = self._ask(method, f"/api/{api}/mlflow/{path}", given)
        try:
            body = answer.json()
        except ValueError:
            raise Unavailable(f"{self.url} does not answer as MLflow does (HTTP {answer.status_code}).") from None
        if answer.is_success:
            return dict(body)
        if body.get("error_code") in absent:
            return {}
        raise BadInput(f"MLflow at {self.url} refused {path} (HTTP {answer.status_code}): {body.get('message')}.")

    def files_of(self, version: VersionInfo) -> str:
        """Where MLflow serves the files of the version's run."""
        run = self.call("GET", "runs/get", {"run_id": version.run_id})
        uri = str(run["run"]["info"]["artifact_uri"])
        if not uri.startswith("mlflow-artifacts:"):
            raise BadInput(f"The files of {_name(version)} are at {uri}; start MLflow with --serve-artifacts.")
        return served(uri)

    def _fetch(self, version: VersionInfo, folder: Path, expected: str) -> None:
        """What there is of the release; `faults` says what is not."""
        root = f"{self.files_of(version)}/release"
        folder.mkdir()
        self._save(f"{root}/{RELEASE}", folder / RELEASE)
        if (folder / RELEASE).is_file() and release_digest(folder) == expected:
            for name in json.loads((folder / RELEASE).read_bytes())["files"]:
                self._save(f"{root}/{name}", checked_join(folder, name))

    def _save(self, path: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.http.stream("GET", path) as answer:
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return
                if not answer.is_success:
                    raise Unavailable(f"{self.url}{path} cannot be read (HTTP {answer.status_code}).")
                with target.open("wb") as file:
                    for chunk in answer.iter_bytes():
                        file.write(chunk)
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def _ask(self, method: str, path: str, given: dict[str, Any]) -> httpx.Response:
        try:
            answer = self.http.request(method, path, **given)
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unavailable(f"MLflow at {self.url} answers HTTP {answer.status_code}; look into its log.")
        return answer

    def _unreachable(self, error: httpx.TransportError) -> Unavailable:
        return Unavailable(
            f"MLflow at {self.url} cannot be reached ({type(error).__name__}); is it up? See `penstock status`."
        )


def version_info(told: dict[str, Any]) -> VersionInfo:
    tags = {tag["key"]: tag.get("value", "") for tag in told.get("tags", [])}
    return VersionInfo(release=told["name"], version=int(told["version"]), run_id=told.get("run_id", ""), tags=tags)


def served(uri: str) -> str:
    """The path below MLflow's URL at which it serves what it keeps at `mlflow-artifacts:/...`."""
    return f"/api/2.0/mlflow-artifacts/artifacts/{httpx.URL(uri).path.strip('/')}"


def release_digest(folder: Path) -> str:
    """What names the bytes of a release: the sha256 of its release.json, which names all other files."""
    return file_sha256(folder / RELEASE)


def faults(folder: Path, digest: str) -> list[str]:
    """What is wrong with a release folder, of which `release.json` must have the digest."""
    path = folder / RELEASE
    if not path.is_file():
        return [f"{RELEASE} is missing"]
    data = path.read_bytes()
    if sha256(data) != digest:
        return [f"{RELEASE} has sha256 {sha256(data)[:12]}, registered was {digest[:12]}"]
    return [
        f"{name} is missing or altered"
        for name, expected in json.loads(data)["files"].items()
        if not (file := checked_join(folder, name)).is_file() or file_sha256(file) != expected
    ]


def _name(version: VersionInfo) -> str:
    return f"Version {version.version} of {version.release}"
