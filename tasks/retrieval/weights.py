"""The embedding model as the services load it: ONNX made once out of safetensors, or as fastembed publishes it."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.errors import BadInput, Unavailable
from tasks.retrieval.embedding import ABOUT, Model
from tasks.retrieval.onnx import exported, quantized

Precision = Literal["fp32", "int8"]
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
NEEDED = ("model.safetensors", "config.json", *TOKENIZER)
LONGEST = 256  # tokens: what the model was trained with; the tokenizer alone would take 512


def export(files: Mapping[str, Artifact], name: str, precision: Precision) -> Artifact:
    """Raw `files` (by name or path) of a BERT-like model to a folder of weights; the same files give the same bytes.

    `name` is the one under which fastembed knows the model.
    """
    named = {Path(path).name: artifact for path, artifact in files.items()}
    if missing := [file for file in NEEDED if file not in named]:
        raise BadInput(f"The weights of {name} lack {', '.join(missing)}; add them to the files of their dataset.")
    source = sha256(canonical({file: named[file].digest for file in NEEDED}))
    with tempfile.TemporaryDirectory() as work:
        raw, folder = Path(work) / "raw", Path(work) / "weights"
        for path in (raw, folder):
            path.mkdir()
        for file in NEEDED:
            shutil.copyfile(current().path(named[file]), raw / file)
        whole = folder / "model.onnx" if precision == "fp32" else raw / "whole.onnx"
        dim = _to_onnx(raw, whole)
        if precision == "int8":
            quantized(whole, folder / "model.onnx")
        for file in ("config.json", *TOKENIZER):
            shutil.copyfile(raw / file, folder / file)
        _limit(folder / "tokenizer_config.json")
        return _stored(folder, Model(name=name, dim=dim, precision=precision, source=source))


def from_hub(name: str) -> Artifact:
    """Any model that fastembed lists, downloaded from its hub as it is published there."""
    from fastembed import TextEmbedding

    listed = {model["model"].lower(): model for model in TextEmbedding.list_supported_models()}
    if name.lower() not in listed:
        raise BadInput(f"fastembed knows no model {name!r}; choose one of: {', '.join(sorted(listed))}.")
    about = listed[name.lower()]
    with tempfile.TemporaryDirectory() as work:
        try:
            TextEmbedding(name, cache_dir=f"{work}/cache", lazy_load=True, cuda=False)
        except (ValueError, OSError) as error:
            raise Unavailable(
                f"The model {name} cannot be downloaded ({error}). Check the network, HF_HOME and HF_TOKEN, "
                "or name a dataset with the weights in the recipe's `embedding`."
            ) from None
        model = next(Path(work, "cache").rglob(about["model_file"]))
        folder = Path(work) / "weights"
        shutil.copytree(model.parents[len(Path(about["model_file"]).parts) - 1], folder)
        facts = Model(name=about["model"], dim=about["dim"], precision="as published", source=sha256(name.encode()))
        return _stored(folder, facts)


def _stored(folder: Path, facts: Model) -> Artifact:
    (folder / ABOUT).write_bytes(canonical(facts.model_dump()))
    return current().put_folder("weights", folder, meta=facts.model_dump())


def _to_onnx(raw: Path, target: Path) -> int:
    """Write the ONNX model; the size of its vectors."""
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModel.from_pretrained(
        raw, attn_implementation="eager", use_safetensors=True, local_files_only=True, trust_remote_code=False
    ).eval()
    exported(model, target, "last_hidden_state")
    return int(model.config.hidden_size)


def _limit(path: Path) -> None:
    path.write_bytes(canonical(json.loads(path.read_bytes()) | {"model_max_length": LONGEST}))
