"""A model asked every judged example: the loss of the expected answer, and what it says by itself, a row each."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.documents.language import language
from tasks.errors import BadInput
from tasks.language import metrics
from tasks.language.apart import Cost, Tell, apart, cores
from tasks.language.base import load, weight_bytes
from tasks.language.chats import Example, Part, judged
from tasks.language.rendering import Chat
from tasks.statistics import Interval, intervals

BATCH = 16
LOGITS = 250_000_000  # held at once, four bytes each, twice
FEW = 8  # words below which nobody can tell a language


class Asked(BaseModel):
    """A model folder, and what it is asked; `most` examples of each part, `answer_tokens` of each answer."""

    model_config = ConfigDict(frozen=True)

    model: Artifact
    examples: Artifact
    most: int
    answer_tokens: int


class Row(BaseModel):
    """One example: `loss` is the sum over its `tokens`, the end of the answer among them."""

    model_config = ConfigDict(frozen=True)

    id: str
    part: Part
    fact: str
    question: str
    expected: str
    said: str
    loss: float
    tokens: int
    ended: bool

    @property
    def refused(self) -> bool:
        """Whether it said what was expected of it where the documents do not answer."""
        return metrics.words(self.said) == metrics.words(self.expected)


class Scores(BaseModel):
    model_config = ConfigDict(frozen=True)

    artifact: Artifact


class Evaluation(BaseModel):
    """`scores` are the rows; `metrics` what they say."""

    model_config = ConfigDict(frozen=True)

    scores: Artifact
    metrics: dict[str, Interval]
    counts: dict[Part, int]
    cost: Cost


def evaluate(model: Artifact, examples: Artifact, most: int, answer_tokens: int) -> Evaluation:
    """Loss and answers of a model on the judged examples, in a process of its own."""
    asked = Asked(model=model, examples=examples, most=most, answer_tokens=answer_tokens)
    scores, cost = apart(ask, asked, Scores, cores(weight_bytes(model)))
    rows = read_rows(scores.artifact)
    counts: dict[Part, int] = {}
    for row in rows:
        counts[row.part] = counts.get(row.part, 0) + 1
    return Evaluation(scores=scores.artifact, metrics=measured(rows, answer_tokens), counts=counts, cost=cost)


def ask(asked: Asked, tell: Tell) -> Scores:
    """The child's work. Its own loop and order: a Trainer would ask by length, and answer in that order."""
    folder = current().path(asked.model)
    chat, model = Chat(folder), load(folder)
    examples = [one for one in chosen(judged(asked.examples), asked.most) if fits(one, chat, asked.answer_tokens)]
    rows = []
    for some in batches(examples, chat):
        losses = losses_of(model, chat, some)
        answers = answers_of(model, chat, some, asked.answer_tokens)
        for example, (loss, tokens), (said, ended) in zip(some, losses, answers, strict=True):
            rows.append(
                Row(
                    id=example.id,
                    part=example.part,
                    fact=example.fact,
                    question=example.question,
                    expected=example.answer,
                    said=said,
                    loss=round(loss, 6),
                    tokens=tokens,
                    ended=ended,
                )
            )
        tell({"asked": len(rows), "of": len(examples)})
    if len(telling(rows)) < 2:
        raise BadInput("No judged example fits into the context of the base; use a base with a longer one.")
    data = b"".join(orjson.dumps(row.model_dump(), option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    return Scores(artifact=current().put_bytes("answers", data, ".jsonl"))


def chosen(examples: Sequence[Example], most: int) -> list[Example]:
    """At most so many of each part, spread over all of them."""
    kept = []
    for part in ("held", "never", "refuse"):
        some = [one for one in examples if one.part == part]
        count = min(most, len(some))
        kept += [some[place * len(some) // count] for place in range(count)]
    return kept


def fits(example: Example, chat: Chat, more: int) -> bool:
    """Whether the model can be asked it: its template may refuse the messages, its context be too short."""
    try:
        ids, start = chat.example(example.messages)
    except BadInput:
        return False
    return max(len(ids), start + more) <= chat.context


def batches(examples: Sequence[Example], chat: Chat) -> Iterator[Sequence[Example]]:
    """As many at once as there may be logits."""
    longest = max((len(chat.example(one.messages)[0]) for one in examples), default=1)
    size = max(1, min(BATCH, LOGITS // (longest * chat.vocabulary)))
    for start in range(0, len(examples), size):
        yield examples[start : start + size]


def losses_of(model: Any, chat: Chat, examples: Sequence[Example]) -> list[tuple[float, int]]:
    """The summed loss of each expected answer, and its tokens; rows are padded on the right."""
    import torch

    pairs = [chat.example(example.messages) for example in examples]
    longest = max(len(ids) for ids, _ in pairs)
    rows = torch.tensor([ids + [chat.pad] * (longest - len(ids)) for ids, _ in pairs], device=model.device)
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in pairs], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=rows, attention_mask=mask).logits.float()
    found = []
    for place, (ids, start) in enumerate(pairs):
        said = torch.log_softmax(logits[place, start - 1 : len(ids) - 1], dim=-1)
        expected = torch.tensor(ids[start:], device=model.device)
        found.append((-float(said.gather(1, expected[:, None]).sum()), len(ids) - start))
    return found


def answers_of(model: Any, chat: Chat, examples: Sequence[Example], most: int) -> list[tuple[str, bool]]:
    """What the model says, greedily, and whether it came to an end by itself; prompts are padded on the left."""
    import torch

    prompts = [chat.prompt(example.asked) for example in examples]
    longest = max(map(len, prompts))
    rows = torch.tensor([[chat.pad] * (longest - len(one)) + one for one in prompts], device=model.device)
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts], device=model.device)
    with torch.inference_mode():
        made = model.generate(
            input_ids=rows,
            attention_mask=mask,
            max_new_tokens=most,
            do_sample=False,
            eos_token_id=sorted(chat.ends),
            pad_token_id=chat.pad,
            temperature=None,
            top_p=None,
            top_k=None,
        )
    found = []
    for row in made[:, longest:].tolist():
        end = next((place for place, token in enumerate(row) if token in chat.ends), None)
        found.append((chat.decode(row[:end]).strip(), end is not None))
    return found


def read_rows(scores: Artifact) -> list[Row]:
    with Path(current().path(scores)).open("rb") as file:
        return [Row.model_validate(orjson.loads(line)) for line in file]


def of_part(rows: Sequence[Row], part: Part) -> list[Row]:
    return [row for row in rows if row.part == part]


def terms(rows: Sequence[Row]) -> Any:
    """Loss and tokens of each row, [n, 2]."""
    return np.array([[row.loss, row.tokens] for row in rows], dtype=np.float64)


def values(metric: str, rows: Sequence[Row]) -> list[float]:
    """The score of each row."""
    score = {"exact_match": metrics.exact, "f1": metrics.f1, "rouge_l": metrics.rouge_l}[metric]
    return [score(row.said, row.expected) for row in rows]


def telling(rows: Sequence[Row]) -> list[Row]:
    """What decides: trained facts in wordings that were not trained; where no fact has two wordings, facts that were
    not trained."""
    return of_part(rows, "held") or of_part(rows, "never")


def measured(rows: Sequence[Row], answer_tokens: int) -> dict[str, Interval]:
    """Answers that decide; behaviour on everything; refusals and leaks where there are at least two to judge."""
    told = telling(rows)
    found = {"perplexity": intervals(terms(told), [metrics.perplexity])[0]}
    found |= {name: metrics.mean(values(name, told)) for name in ("exact_match", "f1", "rouge_l")}
    sums = np.array([metrics.bleu_terms(row.said, row.expected) for row in told])
    found["bleu"] = intervals(sums, [metrics.bleu])[0]
    if len(short := [row for row in rows if row.tokens <= answer_tokens]) > 1:  # the others are cut, not endless
        found["stopped"] = metrics.mean([float(row.ended) for row in short])
    found["looped"] = metrics.mean([float(metrics.looping(row.said)) for row in rows])
    found |= _languages(rows)
    if len(refuse := of_part(rows, "refuse")) > 1:
        found["refused"] = metrics.mean([float(row.refused) for row in refuse])
    if len(never := of_part(rows, "never")) > 1 and never != told:
        found["leaked"] = metrics.mean(values("exact_match", never))
    return found


def _languages(rows: Sequence[Row]) -> dict[str, Interval]:
    """The share of answers in the language of what was expected, of those that are long enough to tell."""
    pairs = [(row.said, row.expected) for row in rows if len(row.said.split()) >= FEW <= len(row.expected.split())]
    told = [(language(said), language(expected)) for said, expected in pairs]
    same = [float(one == other) for one, other in told if other]
    return {"same_language": metrics.mean(same)} if len(same) > 1 else {}
