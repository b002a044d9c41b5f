"""One loaded version of a release: its facts, its model, and the requests that still use it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.artifacts import checked_join, file_sha256, sha256
from tasks.errors import BadInput, PenstockError, Refused
from tasks.registry.golden import disagreements

RELEASE_FILE = "release.json"


class Golden(BaseModel):
    """A request and the answer that it got in training."""

    request: Any
    answer: Any


class ReleaseFile(BaseModel):
    """What a service reads of release.json; each kind reads more of it."""

    model_config = ConfigDict(extra="allow")

    release: str
    kind: str
    files: dict[str, str]
    input_schema: list[dict[str, Any]] = []
    output_schema: Any = None
    golden: list[Golden] = []

    def interface(self) -> tuple[Any, ...]:
        """What a client relies on; levels and ranges follow the data and may change in a hot swap."""
        fields = sorted((str(one["name"]), one.get("dtype"), one.get("nullable", False)) for one in self.input_schema)
        return (self.kind, fields, self.output_schema)


class Served(Protocol):
    """A loaded model, as the kit sees it."""

    def answer(self, request: Any) -> dict[str, Any]: ...

    def close(self) -> None: ...


M = TypeVar("M", bound=Served)
Loader = Callable[[Path, ReleaseFile], M]


@dataclass(eq=False)
class Handle(Generic[M]):
    """Use it as a context for as long as a request needs it; the model is closed after the last one."""

    folder: Path
    version: str
    digest: str
    release: ReleaseFile
    model: M
    tags: dict[str, str] = field(default_factory=dict)
    users: int = 0
    retired: bool = False

    def __enter__(self) -> Self:
        self.users += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.users -= 1
        self._drain()

    def retire(self) -> None:
        self.retired = True
        self._drain()

    def _drain(self) -> None:
        if self.retired and not self.users:
            self.model.close()


def read_release(folder: Path) -> tuple[ReleaseFile, str]:
    """release.json and its digest; BadInput where it is missing or not one."""
    try:
        data = (folder / RELEASE_FILE).read_bytes()
        return ReleaseFile.model_validate(orjson.loads(data)), sha256(data)
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"The folder {folder} holds no {RELEASE_FILE}; name the folder of a release.") from None
    except (orjson.JSONDecodeError, ValidationError) as error:
        raise BadInput(f"{folder / RELEASE_FILE} is not a release: {error}") from None


def load(folder: Path, version: str, loader: Loader[M], tags: dict[str, str] | None = None) -> Handle[M]:
    """Check every file, load the model and let it answer the golden requests; Refused where one of these fails."""
    release, digest = read_release(folder)
    for name, expected in release.files.items():
        path = checked_join(folder, name)
        if not path.is_file() or file_sha256(path) != expected:
            raise Refused(f"{name} of {release.release} v{version} is missing or altered; fetch the release again.")
    try:
        model = loader(folder, release)
        self_test(model, release, version)
    except PenstockError:
        raise
    except Exception as error:  # whatever a foreign version breaks in, the one that serves goes on
        raise Refused(f"{release.release} v{version} cannot be loaded ({type(error).__name__}: {error}).") from error
    return Handle(folder, version, digest, release, model, tags or {})


def self_test(model: Served, release: ReleaseFile, version: str) -> None:
    wrong = disagreements([golden.model_dump() for golden in release.golden], model.answer)
    if wrong:
        raise Refused(
            f"{release.release} v{version} failed its self-test: {wrong[0]}; train it again in this environment."
        )
