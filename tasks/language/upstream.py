"""An engine elsewhere: any server that speaks OpenAI's API, such as vLLM with the adapter of the release."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tasks.errors import BadInput, PenstockError, Unavailable
from tasks.language.engines import Busy, Cancel, Closed, Declined, End, Late, Piece, Prompt, Said, Tell
from tasks.language.sampling import Sampling

logger = logging.getLogger("penstock")

DECLINED = (400, 413, 422)
BUSY = 429


@dataclass(eq=False)
class Job:
    """One answer that is asked for; `left`: by nobody any more."""

    prompt: Prompt
    sampling: Sampling
    tell: Tell
    left: bool = False


class Upstream:
    """The server at OPENAI_BASE_URL with OPENAI_API_KEY, the client's own variables; `model` is what it calls it.

    Its client runs in an event loop of its own thread, so that an answer that nobody waits for ends at once."""

    def __init__(self, model: str | None, timeout_s: float, at_once: int) -> None:
        if not model:
            raise BadInput("The engine `openai` needs the name of a model; set PENSTOCK_UPSTREAM_MODEL.")
        import openai

        self.model, self._openai = model, openai
        try:
            self._client = openai.AsyncOpenAI(timeout=timeout_s, max_retries=0)
        except openai.OpenAIError as error:
            raise BadInput(
                f"The OpenAI client does not start ({error}); set OPENAI_API_KEY, to any text where the server at "
                "OPENAI_BASE_URL asks for none."
            ) from None
        self._slots = asyncio.Semaphore(at_once)
        self._waiting: set[Job] = set()
        self._lock = threading.Lock()
        self._writing: set[Future[None]] = set()
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="penstock-upstream", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def read(self, said: Said, max_tokens: int) -> Prompt:
        """The server counts the tokens, and declines a prompt that is too long."""
        return Prompt(said)

    def start(self, prompt: Prompt, sampling: Sampling, tell: Tell) -> Cancel:
        job = Job(prompt, sampling, tell)
        with self._lock:
            if self._closed:
                raise Closed
            self._waiting.add(job)
            writing = asyncio.run_coroutine_threadsafe(self._write(job), self._loop)
            self._writing.add(writing)
        writing.add_done_callback(lambda done: self._done(done, job))

        def cancel() -> None:
            job.left = True
            writing.cancel()

        return cancel

    def close(self) -> None:
        """The client's connections are closed in its own thread, which then ends."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            writing = list(self._writing)
        for one in writing:
            one.cancel()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        """Until `stop`; then what still runs is cancelled."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()
            runner.run(self._client.close())

    def _done(self, writing: "Future[None]", job: Job) -> None:
        with self._lock:
            self._waiting.discard(job)
            self._writing.discard(writing)
        error = Closed() if writing.cancelled() else writing.exception()
        if error is not None and not job.left:
            job.tell(error)

    async def _write(self, job: Job) -> None:
        async with self._slots:
            self._waiting.discard(job)
            try:
                async for piece in self._pieces(job):
                    job.tell(piece)
            except self._openai.OpenAIError as error:
                raise self._told(error) from None

    async def _pieces(self, job: Job) -> AsyncIterator[Piece]:
        finish, usage, written = None, None, 0
        async with await self._asked(job) as stream:
            async for event in stream:
                usage = event.usage or usage
                if not event.choices:
                    continue
                choice = event.choices[0]
                finish = choice.finish_reason or finish
                text = choice.text if isinstance(job.prompt.said, str) else choice.delta.content
                if text:
                    written += 1
                    yield Piece(text, written)
        if finish is None:  # a stream that is cut off ends without an error
            raise self._out("broke off")
        prompted, written = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, written)
        yield End("", written, prompted, "length" if finish == "length" else "stop", None)

    async def _asked(self, job: Job) -> Any:
        """The server's stream of events."""
        how, said = job.sampling, job.prompt.said
        options: dict[str, Any] = {
            "model": self.model, "stream": True, "stream_options": {"include_usage": True},
            "max_tokens": how.max_tokens, "temperature": how.temperature, "top_p": how.top_p,
            "frequency_penalty": how.frequency_penalty, "presence_penalty": how.presence_penalty,
        }  # fmt: skip
        if how.seed is not None:
            options["seed"] = how.seed + how.choice
        if how.stop:
            options["stop"] = list(how.stop)
        own = {"repetition_penalty": how.repetition_penalty, "no_repeat_ngram_size": how.no_repeat_ngram_size}
        standard = Sampling(how.max_tokens)
        options["extra_body"] = {name: value for name, value in own.items() if value != getattr(standard, name)}
        if isinstance(said, str):
            return await self._client.completions.create(prompt=said, **options)
        messages: Any = [one.model_dump() for one in said]
        return await self._client.chat.completions.create(messages=messages, **options)

    def _told(self, error: Exception) -> PenstockError:
        if isinstance(error, self._openai.APITimeoutError):
            return Late(str(self._out("did not answer in time")))
        if isinstance(error, self._openai.APIStatusError):
            if error.status_code in DECLINED:
                return Declined(f"The model {self.model} declined the request: {error.message}")
            if error.status_code == BUSY:
                return Busy(f"The model {self.model} has too much to do; try again shortly.")
            return self._out(f"answered {error.status_code}")
        return self._out("failed", error)

    def _out(self, what: str, why: Exception | None = None) -> Unavailable:
        """Without the server's address, which is nothing to an API's clients and may hold a password."""
        address = self._client.base_url.copy_with(userinfo=b"", query=None)
        logger.warning("The model %s at %s %s: %s", self.model, address, what, why or "see its server")
        return Unavailable(
            f"The model {self.model} {what}; see that its server runs and that OPENAI_BASE_URL and OPENAI_API_KEY "
            "are right."
        )
