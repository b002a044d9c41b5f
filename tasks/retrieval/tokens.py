"""How far a model reads."""

from typing import Any


def reach(tokenizer: Any, text: str) -> int:
    """Characters of a text that are read by a tokenizer (of `tokenizers`) that cuts where the model's length ends."""
    encoded = tokenizer.encode(text)
    return max(end for _, end in encoded.offsets) if encoded.overflowing else len(text)
