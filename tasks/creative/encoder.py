"""A fine-tuned encoder as it is served: ONNX Runtime and its tokenizer, no torch."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from tasks.tables.transform import Matrix

MODEL, TOKENIZER, ABOUT = "model.onnx", "tokenizer.json", "encoder.json"
BATCH = 16


class EncoderScorer:
    """Texts of like length go together, so that little is padded; answers come in the order that was asked."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(folder / MODEL, options, providers=["CPUExecutionProvider"])
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._tokenizer = tokenizer(folder)

    def log_odds(self, texts: Sequence[str]) -> Matrix:
        rows = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        order = np.argsort([len(row) for row in rows], kind="stable")
        result = np.empty(len(rows))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            logits = self._logits([rows[place] for place in places])
            result[places] = logits[:, 1] - logits[:, 0]
        return result

    def _logits(self, rows: list[list[int]]) -> Matrix:
        longest = max(map(len, rows))
        ids, mask = (np.zeros((len(rows), longest), dtype=np.int64) for _ in range(2))
        for place, row in enumerate(rows):
            ids[place, : len(row)], mask[place, : len(row)] = row, 1
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (logits,) = self._session.run(None, {name: given[name] for name in self._inputs})
        return np.asarray(logits, dtype=np.float64)


def tokenizer(folder: Path) -> Tokenizer:
    """Cuts at the length that was trained; what pads is masked, whatever its id."""
    made = Tokenizer.from_file(str(folder / TOKENIZER))
    made.no_padding()
    made.enable_truncation(json.loads((folder / ABOUT).read_bytes())["max_tokens"])
    return made
