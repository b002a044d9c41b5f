"""The embedding model as the services load it: ONNX made once out of safetensors, or as fastembed publishes it."""

import json
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.errors import BadInput, Unavailable
from tasks.retrieval.embedding import ABOUT, Model

Precision = Literal["fp32", "int8"]
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
NEEDED = ("model.safetensors", "config.json", *TOKENIZER)
LONGEST = 256  # tokens: what the model was trained with; the tokenizer alone would take 512
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


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
        dim = _to_onnx(raw, folder / "model.onnx")
        if precision == "int8":
            _quantize(folder / "model.onnx")
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
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    class States(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> Any:
            return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

    logging.disable_progress_bar()
    model = AutoModel.from_pretrained(
        raw, attn_implementation="eager", use_safetensors=True, local_files_only=True, trust_remote_code=False
    ).eval()
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    axes = {name: {0: "batch", 1: "length"} for name in (*INPUTS, "last_hidden_state")}
    with warnings.catch_warnings():
        # the exporter that replaces this one needs onnxscript and six times as long; the vectors are compared in tests
        warnings.simplefilter("ignore")
        torch.onnx.export(
            States(model),
            (mask, mask, mask * 0),
            str(target),
            dynamo=False,
            opset_version=17,
            input_names=list(INPUTS),
            output_names=["last_hidden_state"],
            dynamic_axes=axes,
        )
    return int(model.config.hidden_size)


def _quantize(model: Path) -> None:
    """Weights to eight bits, a scale per channel; activations are scaled as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = model.rename(model.with_name("whole.onnx"))
    quantize_dynamic(whole, model, per_channel=True, weight_type=QuantType.QInt8)
    whole.unlink()


def _limit(path: Path) -> None:
    path.write_bytes(canonical(json.loads(path.read_bytes()) | {"model_max_length": LONGEST}))
