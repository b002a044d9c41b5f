"""The base model of an assistant, from a folder or the hub: safetensors only, and no code of its own."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput, Refused, Unavailable
from tasks.language.apart import Cost
from tasks.language.rendering import Chat

KEPT = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
WEIGHTS = (".safetensors", ".safetensors.index.json")
UNSAFE = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".py", ".h5", ".msgpack")


class Base(BaseModel):
    """A model folder; `name` as people know it, `revision` the commit of the hub that it is."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    name: str
    licence: str
    revision: str | None = None
    parameters: int
    cost: Cost | None = None


def from_folder(folder: str, name: str, licence: str) -> Base:
    return kept(own_folder(folder), name, licence)


def from_hub(name: str, revision: str, licence: str | None) -> Base:
    folder, stated = downloaded(name, revision, licence)
    return kept(folder, name, stated).model_copy(update={"revision": revision})


def kept(folder: Path, name: str, licence: str) -> Base:
    """A checked copy of a model that can talk."""
    check(folder)
    Chat(folder)
    return stored(folder, name, licence)


def own_folder(folder: str) -> Path:
    """A folder as transformers saves it. Refused: it holds other weights or code, too."""
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise BadInput(f"The base {folder} is no folder; see `base` in the recipe.")
    refuse_foreign(path)
    return path


def downloaded(name: str, revision: str, licence: str | None) -> tuple[Path, str]:
    """A model of the hub at a commit, by way of its cache (HF_HOME), and its licence; HF_TOKEN opens gated ones.

    Whatever else lies in that cache is not looked at."""
    from httpx import TransportError
    from huggingface_hub import model_info, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        card = None if licence else model_info(name, revision=revision).card_data
        stated = licence or (card.to_dict().get("license") if card else None)
        folder = snapshot_download(name, revision=revision, allow_patterns=[*KEPT, "*.safetensors*"])
    except HFValidationError:
        raise BadInput(f"The base {name} is no folder, and no name of the hub; see `base` in the recipe.") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, TransportError, OSError) as error:
        raise Unavailable(
            f"The base {name} cannot be downloaded ({' '.join(str(error).split())[:200]}). Check the network and, for "
            "a gated model, HF_TOKEN; or name a local folder as `base`."
        ) from None
    return Path(folder), str(stated or "unknown")


def stored(folder: Path, name: str, licence: str) -> Base:
    """A copy of a model's own files."""
    with tempfile.TemporaryDirectory() as work:
        for path in sorted(folder.iterdir()):
            if path.name in KEPT or path.name.endswith(WEIGHTS):
                shutil.copyfile(path, Path(work) / path.name)
        artifact = current().put_folder("bases", Path(work))
    return Base(artifact=artifact, name=name, licence=licence, parameters=parameters(folder))


def check(folder: Path) -> None:
    """BadInput, Refused: what cannot or must not be loaded, with the reason."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (FileNotFoundError, ValueError):
        raise BadInput(f"{folder} holds no readable config.json; name the folder of a whole model.") from None
    if "auto_map" in config:
        raise Refused(f"The base in {folder} wants to run code of its own (`auto_map` in config.json); choose another.")
    if not list(folder.glob("*.safetensors")):
        raise Refused(f"{folder} has no safetensors; convert the weights, since nothing else is loaded.")


def refuse_foreign(folder: Path) -> None:
    """Refused: a folder with files that hold, or are, code."""
    if found := sorted(path.name for path in folder.iterdir() if path.suffix.lower() in UNSAFE):
        raise Refused(f"{folder} holds {', '.join(found)}, which can run code when loaded; remove it and try again.")


def check_licence(base: Base, allowed: Sequence[str]) -> None:
    if base.licence.lower() not in map(str.lower, allowed):
        raise Refused(
            f"The base {base.name} is under the licence {base.licence!r}, which is not among those that the recipe "
            f"allows ({', '.join(allowed)}). Read it; then add it to `licences`, or choose another base."
        )


def parameters(folder: Path) -> int:
    """How many weights its safetensors hold, by their headers."""
    from math import prod

    from safetensors import SafetensorError, safe_open

    total = 0
    try:
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, "np") as file:
                total += sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise BadInput(f"{path} is truncated or no safetensors file ({error}); fetch the model again.") from None
    return total


def weight_bytes(model: Artifact) -> int:
    return sum(path.stat().st_size for path in current().path(model).glob("*.safetensors"))


def load(folder: Path) -> Any:
    """The model in evaluation mode: float32, or bfloat16 on a GPU that has it."""
    import torch
    from transformers import AutoModelForCausalLM

    gpu = torch.cuda.is_available()
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.bfloat16 if gpu and torch.cuda.is_bf16_supported() else torch.float32,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
    )
    return model.to("cuda" if gpu else "cpu").eval()
