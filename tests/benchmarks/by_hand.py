"""The straightforward way, as one would write it in an afternoon: pdfplumber, fixed windows, torch, a numpy array."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.retrieval.store import Vector

BATCH = 4  # where torch was fastest; 16 took longer
LONGEST = 256  # tokens
WINDOW, STEP = 220, 180


def threads() -> int:
    return len(os.sched_getaffinity(0))


def plumbed(data: bytes, tables: bool = False) -> str:
    """The text of a PDF, and its tables behind each page."""
    import pdfplumber

    with pdfplumber.open(io.BytesIO(data)) as pdf:
        parts: list[str] = []
        for page in pdf.pages:
            parts.append(page.extract_text())
            if tables:
                parts += ["\n".join(" | ".join(cell or "" for cell in row) for row in t) for t in page.extract_tables()]
        return "\n".join(parts)


class Torch:
    """Sentence vectors with transformers: mean over the tokens, length one."""

    def __init__(self, raw: Path, threads: int) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        torch.set_num_threads(threads)
        self.torch = torch
        self.tokenizer: Any = AutoTokenizer.from_pretrained(raw, local_files_only=True)
        self.model: Any = AutoModel.from_pretrained(raw, use_safetensors=True, local_files_only=True).eval()

    def embed(self, texts: Sequence[str]) -> Vector:
        return np.concatenate([self._batch(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)])

    def _batch(self, texts: Sequence[str]) -> Vector:
        tokens = self.tokenizer(list(texts), padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
        with self.torch.inference_mode():
            states = self.model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        mean = (states * mask).sum(1) / mask.sum(1)
        found: Vector = self.torch.nn.functional.normalize(mean).numpy()
        return found

    def windows(self, text: str) -> list[str]:
        """Pieces of a fixed number of tokens that overlap."""
        places = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        offsets = places["offset_mapping"]
        starts = range(0, max(len(offsets) - (WINDOW - STEP), 1), STEP) if offsets else []
        return [text[offsets[at][0] : offsets[min(at + WINDOW, len(offsets)) - 1][1]] for at in starts]


def index(paths: Sequence[Path], raw: Path, folder: Path) -> int:
    """Texts and vectors of all PDFs on disk; the number of pieces."""
    model, texts = Torch(raw, threads()), list[str]()
    for path in paths:
        texts += model.windows(plumbed(path.read_bytes()))
    np.save(folder / "vectors.npy", model.embed(texts))
    (folder / "texts.txt").write_text("\0".join(texts))
    return len(texts)
