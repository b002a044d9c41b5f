"""Questions and answers that a language model proposes from the chunks, beside those by template."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from tasks.artifacts import Artifact, current
from tasks.documents.chunk_file import Chunk, read_chunks
from tasks.errors import BadInput, Unavailable

if TYPE_CHECKING:
    import openai

AT_ONCE = 8
TOKENS = 800
ASK = (
    "Read the passage. Write {count} different questions that it answers, each asked in {wordings} different wordings, "
    "and the answer in one sentence, with nothing that the passage does not say. Reply with JSON alone: "
    '[{{"questions": ["...", "..."], "answer": "..."}}]\n\n{text}'
)
WORDINGS = 4


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Pair(BaseModel):
    """One fact in several wordings, and the chunk that it stands in."""

    model_config = ConfigDict(frozen=True)

    questions: tuple[Text, ...] = Field(min_length=1)
    answer: Text
    chunk: str = ""


PAIRS = TypeAdapter(list[Pair])


def propose(chunks: Artifact, model: str, each: int, endpoint: str) -> Artifact:
    """Pairs (kind `proposals`) from the model at the endpoint of OPENAI_BASE_URL; `endpoint` names it in the key.

    A reply that is not what was asked for is left out; Unavailable where the endpoint is, BadInput where it never
    replied as asked."""
    import openai

    read = read_chunks(current().path(chunks))
    try:
        with openai.OpenAI(max_retries=2, timeout=120) as client, ThreadPoolExecutor(AT_ONCE) as pool:
            replies = list(pool.map(lambda chunk: _asked(client, model, each, chunk), read))
    except openai.OpenAIError as error:
        raise Unavailable(
            f"The model {model} at {endpoint} cannot propose examples: {error}. Look at OPENAI_BASE_URL and "
            "OPENAI_API_KEY, or leave out `examples.model`."
        ) from None
    pairs = [pair for chunk, reply in zip(read, replies, strict=True) for pair in _pairs(reply, chunk)]
    if not pairs:
        raise BadInput(
            f"The model {model} replied to none of {len(read)} passages with questions in JSON; try another."
        )
    return current().put_json("proposals", [pair.model_dump() for pair in pairs], {"pairs": len(pairs)})


def read_pairs(proposals: Artifact) -> list[Pair]:
    return PAIRS.validate_python(current().read_json(proposals))


def _asked(client: "openai.OpenAI", model: str, each: int, chunk: Chunk) -> str:
    text = ASK.format(count=each, wordings=WORDINGS, text=chunk.embedded)
    told = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], max_tokens=TOKENS, temperature=0
    )
    return told.choices[0].message.content or ""


def _pairs(reply: str, chunk: Chunk) -> Sequence[Pair]:
    start, end = reply.find("["), reply.rfind("]")
    try:
        found = PAIRS.validate_python(json.loads(reply[start : end + 1]))
    except (ValueError, ValidationError):
        return []
    return [pair.model_copy(update={"chunk": chunk.id}) for pair in found]
