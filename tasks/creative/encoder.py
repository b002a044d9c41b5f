"""A fine-tuned encoder as it is served: ONNX Runtime and its tokenizer, no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from pydantic import BaseModel, ConfigDict
from tokenizers import Tokenizer

from tasks.retrieval.tokens import reach
from tasks.tables.transform import Matrix

MODEL, TOKENIZER, ABOUT = "model.onnx", "tokenizer.json", "encoder.json"
BATCH = {"fp32": 16, "int8": 1}  # in eight bits a batch shares its scale, so neighbours would change a score

Precision = Literal["fp32", "int8"]


class About(BaseModel):
    """`encoder.json`: how far it reads, and the precision of its ONNX file."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    max_tokens: int
    precision: Precision = "fp32"


class EncoderScorer:
    """Texts of like length go together, so that little is padded; answers come in the order that was asked."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(folder / MODEL, options, providers=["CPUExecutionProvider"])
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._tokenizer = tokenizer(folder)
        self._batch = BATCH[read_about(folder).precision]

    def log_odds(self, texts: Sequence[str]) -> Matrix:
        rows = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        order = np.argsort([len(row) for row in rows], kind="stable")
        result = np.empty(len(rows))
        for start in range(0, len(order), self._batch):
            places = order[start : start + self._batch]
            logits = self._logits([rows[place] for place in places])
            result[places] = logits[:, 1] - logits[:, 0]
        return result

    def reach(self, text: str) -> int:
        return reach(self._tokenizer, text)

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
    made.enable_truncation(read_about(folder).max_tokens)
    return made


def read_about(folder: Path) -> About:
    return About.model_validate_json((folder / ABOUT).read_bytes())


def write_about(folder: Path, about: About) -> None:
    (folder / ABOUT).write_text(about.model_dump_json(indent=1) + "\n", encoding="utf-8")
