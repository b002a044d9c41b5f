"""LoRA adapters as files: which base they are for is written into them, since peft loads them on any."""

import json
import tempfile
from pathlib import Path
from typing import Any

from tasks.artifacts import Artifact, canonical, current
from tasks.errors import BadInput, Refused
from tasks.language.base import load, refuse_foreign

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MADE_FOR = "sha256:"


def put_adapter(model: Any, base: Artifact) -> Artifact:
    """The adapter of a peft model: weights and configuration, and no more."""
    with tempfile.TemporaryDirectory() as name:
        saved, folder = Path(name) / "saved", Path(name) / "adapter"
        folder.mkdir()
        model.save_pretrained(saved)
        (saved / WEIGHTS).replace(folder / WEIGHTS)
        told = json.loads((saved / CONFIG).read_bytes()) | {"base_model_name_or_path": f"{MADE_FOR}{base.digest}"}
        (folder / CONFIG).write_bytes(canonical({key: listed(value) for key, value in told.items()}))
        return current().put_folder("adapters", folder)


def listed(value: Any) -> Any:
    """peft writes sets as lists in any order."""
    return sorted(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value


def check_adapter(folder: Path, base: Artifact) -> None:
    """Refused: an adapter for another base, which would load without a word. BadInput: not a whole adapter."""
    refuse_foreign(folder)
    try:
        told = json.loads((folder / CONFIG).read_bytes())
    except (FileNotFoundError, ValueError):
        raise BadInput(f"{folder} holds no readable {CONFIG}; name the folder of a LoRA adapter.") from None
    if not (folder / WEIGHTS).is_file():  # peft would ask the hub for them
        raise BadInput(f"{folder} holds no {WEIGHTS}; name the folder of a whole LoRA adapter.")
    made_for = str(told.get("base_model_name_or_path")).removeprefix(MADE_FOR)
    if made_for != base.digest:
        raise Refused(
            f"The adapter in {folder} was trained for the base {made_for[:12]}, not for {base.digest[:12]}: on another "
            "base it answers nonsense. Train it again on this one."
        )


def with_adapter(base: Artifact, adapter: Artifact) -> Any:
    """The base with the adapter on it, as a peft model."""
    from peft import PeftModel
    from safetensors import SafetensorError

    folder = current().path(adapter)
    check_adapter(folder, base)
    try:
        return PeftModel.from_pretrained(load(current().path(base)), folder).eval()
    except (SafetensorError, RuntimeError) as error:
        raise BadInput(f"The adapter in {folder} cannot be loaded: {' '.join(str(error).split())[:300]}.") from None
