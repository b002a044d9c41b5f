"""An assistant release as it is served: from its folder and the artifacts that it names to answers."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput
from tasks.language.chats import Message
from tasks.language.engines import Engine, written
from tasks.language.sampling import GenerationOptions, Sampling
from tasks.language.torch_engine import TorchEngine

TESTED = 64  # tokens of the answer to a golden request
WARM = 2


class Release(BaseModel):
    """The parts of `release.json` that decide an answer."""

    model_config = ConfigDict(frozen=True)

    release: str
    base_name: str
    base: Artifact
    merged: Artifact
    weights: Artifact
    generation: GenerationOptions = GenerationOptions()


class Golden(BaseModel):
    """What a golden request asks."""

    messages: tuple[Message, ...] = Field(min_length=1)


class Served:
    """A release and the engine that answers for it; threads may share it."""

    def __init__(self, release: Release, engine: Engine) -> None:
        self.release, self.engine = release, engine

    @classmethod
    def load(cls, folder: Path, piece: Callable[[Artifact], Path], threads: int = 1) -> "Served":
        """The release in `folder` with its tuned model; `piece` finds the artifacts that it names."""
        release = read_release(folder)
        return cls.over(release, piece(release.merged), threads)

    @classmethod
    def over(cls, release: Release, model: Path, threads: int = 1) -> "Served":
        """The release with the model in that folder, which has written a few words: the first ones take longest."""
        served = cls(release, TorchEngine(model, threads))
        try:
            served.say((Message(role="user", content="Hello"),), Sampling(WARM))
        except BaseException:
            served.close()
            raise
        return served

    def say(self, messages: tuple[Message, ...], sampling: Sampling) -> str:
        """The whole answer to a conversation."""
        return "".join(piece.text for piece in written(self.engine, messages, sampling))

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """A golden request, always answered with the likeliest words."""
        try:
            golden = Golden.model_validate(request)
        except ValidationError as error:
            raise BadInput(f"The request is no conversation: {error.errors()[0]['msg']}.") from None
        return {"text": self.say(golden.messages, Sampling(TESTED))}

    def close(self) -> None:
        self.engine.close()


@contextmanager
def answering(folder: Path, store: Store) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """The release in `folder`, its models taken from the store, ready for golden requests."""
    with closing(Served.load(folder, store.path)) as served:
        yield served.answer


def read_release(folder: Path) -> Release:
    try:
        return Release.model_validate(orjson.loads((folder / "release.json").read_bytes()))
    except FileNotFoundError:
        raise BadInput(f"The folder {folder} has no release.json; name the folder of a release.") from None
    except ValueError as error:
        said = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        raise BadInput(f"{folder}/release.json is no assistant release: {said['loc']} {said['msg']}.") from None
