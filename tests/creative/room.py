"""A small room for tests: made-up products as a checked table, and a tiny encoder whose words are theirs."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.artifacts import Artifact
from tasks.creative.encoder import TOKENIZER
from tasks.creative.labelled import Texts, label
from tasks.creative.release_folder import Made, assemble
from tasks.creative.scoring import score
from tasks.creative.specs import CreativeRecipe, EncoderOptions
from tasks.language.base import Base, stored
from tasks.settings import ROOT
from tasks.sources.contracts import load_contract
from tasks.sources.frames import put_table
from tasks.sources.products import products
from tasks.tables.evaluation import evaluate
from tasks.tables.specs import Subject
from tasks.tables.splits import Split, split

RECIPE = CreativeRecipe(
    name="shop",
    dataset="shop",
    texts=("title", "category", "description", "price"),
    rating="rating",
    facts={"title": "title", "category": "category", "description": "description", "price": "price"},
    slices=["category"],
)
OPTIONS = EncoderOptions(epochs=2, batch=16, max_tokens=64, rate=2e-3)
ROWS = 500


@dataclass(frozen=True)
class Room:
    table: Artifact
    texts: Texts
    split: Split
    subject: Subject


def table(rows: int = ROWS, seed: int = 0, **columns: Sequence[Any]) -> pa.Table:
    found = pa.Table.from_pylist([one.record() for one in products(rows, seed)])
    for name, values in columns.items():
        found = found.set_column(found.column_names.index(name), name, pa.array(values))
    return found


def room(rows: pa.Table | None = None, recipe: CreativeRecipe = RECIPE) -> Room:
    rows = table() if rows is None else rows
    stored_rows = put_table("checked", rows)
    texts = label(stored_rows, recipe.reading)
    subject = recipe.subject()
    parts = split(texts.artifact, subject, recipe.split, recipe.beside(rows.column_names))
    return Room(stored_rows, texts, parts, subject)


def released(model: Artifact, shop: Room, name: str = "shop") -> Artifact:
    """The release folder of a classifier."""
    texts, split = shop.texts.artifact, shop.split.artifact
    made = Made(
        release=name,
        key="0" * 64,
        model=model,
        texts=texts,
        split=split,
        contract=load_contract("products", [ROOT / "data"]),
        subject=shop.subject,
        facts=dict(RECIPE.facts),
    )
    return assemble(made, evaluate(score(model, texts, split), texts, shop.subject))


def tiny_encoder(seed: int = 0) -> Base:
    """A BERT of two small layers with random weights."""
    import torch
    from transformers import BertConfig, BertModel

    texts = [f"{one.title} {one.category} {one.description}" for one in products(300)]
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = tokenizer(texts)
        words.save(str(folder / TOKENIZER))
        config = BertConfig(
            vocab_size=words.get_vocab_size(),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=128,
            initializer_range=0.2,  # of so few weights smaller ones tell no text from another
        )
        BertModel(config).save_pretrained(folder)
        return stored(folder, "tiny", "apache-2.0")


def tokenizer(texts: list[str]) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    made.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=600, special_tokens=special))
    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return made
