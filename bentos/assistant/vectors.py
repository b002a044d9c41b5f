"""The embedding model of a release, loaded by the first who asks for a vector."""

import threading
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tasks.retrieval.embedding import Embedder, read_model
from tasks.retrieval.store import Vector


class Vectors:
    """Texts to vectors; threads may share it."""

    def __init__(self, folder: Path, digest: str, threads: int) -> None:
        self.folder, self.digest, self.threads = folder, digest, threads
        self.name = read_model(folder).name
        self._lock = threading.Lock()
        self._loaded: tuple[Embedder, Any] | None = None

    def of(self, texts: list[str]) -> tuple[list[Vector], int]:
        """A vector for each text, and the tokens of them all."""
        embedder, tokenizer = self._models()
        counted = sum(len(tokenizer.encode(text).ids) for text in texts)
        return list(embedder.passages(texts)), counted

    def _models(self) -> tuple[Embedder, Any]:
        with self._lock:
            if self._loaded is None:
                tokenizer: Any = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
                tokenizer.no_padding()
                tokenizer.no_truncation()
                self._loaded = Embedder(self.folder, self.digest, self.threads), tokenizer
            return self._loaded
