"""The fallback engine: a model folder through transformers and torch, one answer at a time in order of arrival."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import BadInput
from tasks.language.engines import Cancel, Closed, End, Prompt, Said, Tell, TooLong, Writing
from tasks.language.rendering import Chat
from tasks.language.sampling import Logits, Sampling

CHUNK = 256  # tokens of a prompt that are read between two looks at whether anybody still waits


class TorchEngine:
    """A loaded model and its one thread."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """`threads` of torch: more than one lose where other work wants the cores as well."""
        import torch
        import transformers

        transformers.logging.disable_progress_bar()
        self.chat = Chat(folder)
        self._torch: Any = torch
        cuda = torch.cuda.is_available()
        self._device = "cuda" if cuda else "cpu"
        dtype = torch.bfloat16 if cuda and torch.cuda.is_bf16_supported() else torch.float32
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=dtype
        )
        self._model = loaded.to(self._device).eval()
        self._pool = ThreadPoolExecutor(1, "penstock-engine", torch.set_num_threads, (threads,))
        self._lock = threading.Lock()
        self._jobs: set[Future[None]] = set()
        self._closed = threading.Event()

    @property
    def waiting(self) -> int:
        return max(0, len(self._jobs) - 1)

    def read(self, said: Said, max_tokens: int) -> Prompt:
        tokens = self.chat.text(said) if isinstance(said, str) else self.chat.prompt(said)
        if not tokens:
            raise BadInput("The prompt has no tokens; send a text.")
        if len(tokens) >= self.chat.context:
            raise TooLong(len(tokens), self.chat.context, max_tokens)
        return Prompt(said, tokens)

    def start(self, prompt: Prompt, sampling: Sampling, tell: Tell) -> Cancel:
        left = threading.Event()
        with self._lock:
            if self._closed.is_set():
                raise Closed
            job = self._pool.submit(self._write, prompt, sampling, tell, left)
            self._jobs.add(job)
        job.add_done_callback(lambda job: self._done(job, tell, left))

        def cancel() -> None:
            left.set()
            job.cancel()

        return cancel

    def close(self) -> None:
        with self._lock:
            self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, job: "Future[None]", tell: Tell, left: threading.Event) -> None:
        with self._lock:
            self._jobs.remove(job)
        error = Closed() if job.cancelled() else job.exception()
        if error is not None and not left.is_set():
            tell(error)

    def _write(self, prompt: Prompt, sampling: Sampling, tell: Tell, left: threading.Event) -> None:
        writing, cache, ahead = Writing(self.chat, prompt, sampling), None, list(prompt.tokens)
        while not left.is_set():
            if self._closed.is_set():
                raise Closed
            logits, cache = self._step(ahead[:CHUNK], cache)
            ahead = ahead[CHUNK:]
            if ahead:
                continue
            piece = writing.step(logits)
            tell(piece)
            if isinstance(piece, End):
                return
            ahead = [writing.last]

    def _step(self, tokens: Sequence[int], cache: Any) -> tuple[Logits, Any]:
        """The logits [vocabulary] after these tokens and all that the cache holds."""
        with self._torch.inference_mode():
            given = self._torch.tensor([tokens], device=self._device)
            told = self._model(input_ids=given, past_key_values=cache, use_cache=True, logits_to_keep=1)
            return np.asarray(told.logits[0, -1].float().cpu().numpy()), told.past_key_values
