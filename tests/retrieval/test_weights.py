"""The export: the same bytes each time, the same vectors as torch, nothing but safe formats."""

import json
from pathlib import Path

import numpy as np
import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput, Unavailable
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.weights import LONGEST, TOKENIZER, export, from_hub
from tests.retrieval import tiny

TEXTS = [
    "x",
    "How is the load on the wing distributed?",
    "Zürich, naïve, 東京 and 🙂",
    "a much longer sentence about shear flow past a flat plate in an incompressible fluid of small viscosity " * 4,
    "more words than the model reads " * 100,
]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_same_files_give_the_same_bytes(store: Store, tiny_raw: Path, precision: str) -> None:
    files = tiny.put_raw(tiny_raw)
    first, second = (export(files, tiny.NAME, precision) for _ in range(2))  # type: ignore[arg-type]
    assert first == second and first.kind == "weights"
    folder = store.path(first)
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "model.json", "config.json", *TOKENIZER}
    assert json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"] == LONGEST
    about = json.loads((folder / "model.json").read_text())
    assert (about["dim"], about["precision"], about["name"]) == (tiny.DIM, precision, tiny.NAME)


def test_int8_is_another_and_smaller_model(store: Store, tiny_raw: Path) -> None:
    files = tiny.put_raw(tiny_raw)
    whole, small = (store.path(export(files, tiny.NAME, precision)) for precision in ("fp32", "int8"))
    assert (small / "model.onnx").stat().st_size < 0.8 * (whole / "model.onnx").stat().st_size
    words = " ".join(tiny.WORDS)
    assert 0.9 < np.dot(Embedder(whole, "a").query(words), Embedder(small, "b").query(words)) < 0.999999


def test_weights_without_safetensors_are_refused(store: Store, tiny_raw: Path) -> None:
    files = tiny.put_raw(tiny_raw)
    files["some/pytorch_model.bin"] = files.pop("some/model.safetensors")
    with pytest.raises(BadInput, match=r"lack model\.safetensors"):
        export(files, tiny.NAME, "fp32")


def test_the_hub_is_named_where_it_cannot_be_reached(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="knows no model 'no/such'"):
        from_hub("no/such")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Unavailable, match=r"bge-small-en-v1\.5 cannot be downloaded"):
        from_hub("BAAI/bge-small-en-v1.5")


def test_the_real_model_gives_the_vectors_of_torch(
    minilm_root: Path, minilm_folder: Path, minilm_weights: Artifact
) -> None:
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    raw = next(path for path in (minilm_root / "raw").rglob("*") if path.is_file() and path.stat().st_size > 90_000_000)
    model = BertModel(BertConfig.from_pretrained(minilm_folder / "config.json")).eval()
    model.load_state_dict(load_file(raw), strict=False)
    tokenizer = Tokenizer.from_file(str(minilm_folder / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.no_padding()
    embedder = Embedder(minilm_folder, minilm_weights.digest)
    for text, ours in zip(TEXTS, embedder.passages(TEXTS), strict=True):
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            theirs = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.mean(1)[0].numpy()
        assert np.dot(ours, theirs / np.linalg.norm(theirs)) >= 0.9999
        np.testing.assert_allclose(np.linalg.norm(ours), 1, atol=1e-5)
