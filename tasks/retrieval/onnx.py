"""Encoders of transformers as ONNX: for any number and length of texts, and with weights of eight bits."""

import inspect
import warnings
from pathlib import Path
from typing import Any

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def exported(model: Any, target: Path, output: str) -> None:
    """Write a model in evaluation mode; `output` is the field of its answer that is kept."""
    import torch

    names = [name for name in INPUTS if name in inspect.signature(model.forward).parameters]

    class Kept(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *given: torch.Tensor) -> Any:
            return getattr(self.model(**dict(zip(names, given, strict=True))), output)

    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    texts = {name: {0: "batch", 1: "length"} for name in names}
    with warnings.catch_warnings():
        # the exporter that replaces this one needs onnxscript and six times as long; the answers are compared
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Kept().eval(),  # its mode is given back to the model within
            tuple(mask * 0 if name == "token_type_ids" else mask for name in names),
            str(target),
            dynamo=False,
            opset_version=17,
            input_names=names,
            output_names=[output],
            dynamic_axes={**texts, output: {0: "batch"} if output == "logits" else {0: "batch", 1: "length"}},
        )


def quantized(model: Path, target: Path) -> None:
    """Weights to eight bits, a scale per channel; activations are scaled as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(model, target, per_channel=True, weight_type=QuantType.QInt8)
