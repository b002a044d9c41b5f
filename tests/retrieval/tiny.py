"""A model of a few thousand weights with the parts of a real one, and chunks of words that it knows."""

import random
import uuid
from pathlib import Path

import numpy as np

from tasks.artifacts import Artifact, current
from tasks.documents.chunk_file import Chunk, write_chunks
from tasks.retrieval.embedding import Model
from tasks.retrieval.store import Vector
from tasks.retrieval.weights import NEEDED

NAME = "sentence-transformers/all-MiniLM-L6-v2"  # decides how fastembed pools
DIM = 32
WORDS = [f"{first}{last}" for first in ("am", "bor", "cal", "dun", "el", "fos") for last in ("ak", "en", "ish", "ov")]


def write_model(folder: Path) -> None:
    """A random BERT of one layer, as safetensors with a tokenizer: what `export` takes."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = {word: number for number, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names)
    fast.save_pretrained(folder)
    (folder / "special_tokens_map.json").write_text('{"pad_token": "[PAD]"}')
    torch.manual_seed(0)
    sizes = {"hidden_size": DIM, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)


def put_raw(folder: Path) -> dict[str, Artifact]:
    return {f"some/{name}": current().put_file("raw", folder / name) for name in NEEDED}


def put_weights(folder: Path) -> Artifact:
    """An exported folder, in the store that is open."""
    meta = Model.model_validate_json((folder / "model.json").read_bytes()).model_dump()
    return current().put_folder("weights", folder, meta=meta)


def chunk(number: int, text: str, **fields: object) -> Chunk:
    values = {"document": f"d{number % 5}.md", "revision": "r", "number": number, "page": 1, "last_page": 1}
    values |= {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{number} {text}")), "title": "", "tokens": len(text.split())}
    return Chunk.model_validate(values | {"text": text} | fields)


def chunks(count: int, seed: int = 0) -> list[Chunk]:
    """Chunks of 5 to 40 words; every third without a date, two tenants and the shared one."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        text = " ".join(draw.choices(WORDS, weights=range(1, len(WORDS) + 1), k=draw.randint(5, 40)))
        day = f"2024-01-{number % 28 + 1:02d}" if number % 3 else None
        made.append(chunk(number, text, date=day, tenant=("", "north", "south")[number % 3]))
    return made


def put_chunks(made: list[Chunk]) -> Artifact:
    return current().put_bytes("chunks", write_chunks(made), ".jsonl")


def unit(count: int, dim: int = DIM, seed: int = 0) -> Vector:
    drawn = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
