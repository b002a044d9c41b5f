"""Embedding models, as the room of retrieval has them."""

from tests.retrieval.conftest import minilm_root, minilm_weights, tiny_folder, tiny_raw

__all__ = ["minilm_root", "minilm_weights", "tiny_folder", "tiny_raw"]  # fixtures
