"""Chat examples out of a corpus: questions by template from its tables, headings and sentences, with their place.

A fact is asked in several wordings. Some of them are learned; the others are asked later, so that no wording that is
judged was trained on. Some facts are never trained: where they become known all the same, something leaked."""

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current, sha256
from tasks.documents.chunk_file import Chunk, read_chunks
from tasks.errors import BadInput
from tasks.language.chats import JUDGED, TRAIN, Example, Message, Part, write_examples
from tasks.language.faults import Cause
from tasks.language.forms import fact_of
from tasks.language.options import ExampleOptions
from tasks.language.proposing import Pair, read_pairs
from tasks.language.rendering import Chat
from tasks.language.turns import examples, fitting
from tasks.language.wordings import ANSWER, CELL, SENTENCE
from tasks.retrieval.propose import foreign, of_document

RULE = re.compile(r"[\s|:+-]+")
LONGEST = 80  # characters of a table cell that is asked about
SPARED, ALONE = 12, 5  # one fact of so many is never trained; where none has two wordings, more are needed


class Examples(BaseModel):
    """`artifact` is a folder: `train.jsonl` is learned, `judged.jsonl` asked; `counts` of each part.

    `quarantine` holds what is longer than the base takes."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    counts: dict[Part, int]
    facts: int
    quarantine: Artifact | None = None
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True)
class Fact:
    """What a document says, in the wordings in which it may be asked."""

    name: str
    questions: tuple[str, ...]
    answer: str
    chunk: Chunk | None = None
    cell: tuple[str, str] | None = None  # of a table: key and column


def from_corpus(chunks: Artifact, options: ExampleOptions, proposals: Artifact | None = None) -> Examples:
    """The examples of a corpus, with what a model proposed. BadInput: too few facts to learn some and judge others."""
    read = read_chunks(current().path(chunks))
    facts = list(facts_of(read, read_pairs(proposals) if proposals else []))[: options.facts]
    if len(facts) < 2:
        raise BadInput("The documents give no questions: they have neither tables nor headings with text below.")
    some = [one for fact in facts for one in asked(fact, options)]
    return stored([*some, *refusals(read, facts, options)], len(facts))


def stored(
    some: Sequence[Example], facts: int, quarantine: Artifact | None = None, causes: tuple[Cause, ...] = ()
) -> Examples:
    with tempfile.TemporaryDirectory() as name:
        for file, parts in ((TRAIN, ("train", "valid")), (JUDGED, ("held", "never", "refuse"))):
            write_examples(Path(name) / file, [one for one in some if one.part in parts])
        artifact = current().put_folder("examples", Path(name))
    counts: dict[Part, int] = dict(Counter(one.part for one in some))
    return Examples(artifact=artifact, counts=counts, facts=facts, quarantine=quarantine, causes=causes)


def from_conversations(table: Artifact, base: Artifact, max_tokens: int, options: ExampleOptions) -> Examples:
    """The examples of a user's own data, split by fact: of a fact with several wordings one is judged; some facts are
    never trained, and some examples looked at while training.

    Where no fact has two wordings there is nothing to ask anew: what was never trained decides, one fact in five."""
    chat = Chat(current().path(base))
    found = fitting(examples(table), chat, min(max_tokens, chat.context))
    facts = list(by_fact(found.kept).items())[: options.facts]
    share = SPARED if any(len(group) > 1 for _, group in facts) else ALONE
    some = [one for fact, group in facts for one in parted(fact, group, share)]
    counts = Counter(one.part for one in some)
    judged = counts["held"] or counts["never"]
    if judged < 2 or not counts["train"]:
        raise BadInput(
            f"{len(some)} examples are too few: after the split {counts['train']} are left to learn and "
            f"{judged} to judge. Give at least some dozens, or several wordings of each fact."
        )
    return stored(some, len(facts), found.quarantine, found.causes)


def by_fact(some: Sequence[Example]) -> dict[str, list[Example]]:
    """The wordings of each fact. An answer that somewhere has a name of its own has it everywhere: else one fact could
    be trained under one name and judged under the other."""
    names = {fact_of(one.answer): one.fact for one in reversed(some) if one.fact != fact_of(one.answer)}
    groups: dict[str, list[Example]] = defaultdict(list)
    for one in some:
        fact = names.get(one.fact, one.fact)
        groups[fact].append(one.model_copy(update={"fact": fact}))
    return groups


def parted(fact: str, some: Sequence[Example], share: int) -> Iterator[Example]:
    """The wordings of a fact in an order that stays when others come, each with its part."""
    ordered = sorted(some, key=lambda one: sha256(one.id.encode()))
    if spared(fact, share):
        yield ordered[0].model_copy(update={"part": "never"})
        return
    parts: list[Part] = ["train"] * len(ordered)
    if len(ordered) > 1:
        parts[0] = "held"
    if len(ordered) != 2 and spared(f"look {fact}"):
        parts[-1] = "valid"
    for one, part in zip(ordered, parts, strict=True):
        yield one.model_copy(update={"part": part})


def facts_of(chunks: Sequence[Chunk], pairs: Sequence[Pair] = ()) -> Iterator[Fact]:
    """Each fact once, tables first: a question with two answers is no fact, in whatever wording it is asked twice."""
    found: dict[str, Fact] = {}
    names: dict[str, str] = {}  # by question
    doubtful = set()
    for fact in (*_cells(chunks), *_sentences(chunks), *_proposed(chunks, pairs)):
        name = next((names[one] for one in fact.questions if one in names), fact.name)
        known = found.setdefault(name, fact)
        if known.answer != fact.answer:
            doubtful.add(name)
        elif known is fact:
            names |= dict.fromkeys(fact.questions, name)
    yield from (fact for name, fact in found.items() if name not in doubtful)


def asked(fact: Fact, options: ExampleOptions) -> Iterator[Example]:
    """A fact's examples: of one that is never trained just the wording that is judged."""
    *trained, valid, held = fact.questions
    if spared(fact.name):
        yield example(fact, held, "never")
        return
    for question in trained[: options.wordings]:
        yield example(fact, question, "train")
    yield example(fact, valid, "valid")
    yield example(fact, held, "held")


def spared(name: str, share: int = SPARED) -> bool:
    """One fact of so many, by its name, so that it stays so when others come and go."""
    return int(sha256(name.encode())[:8], 16) % share == 0


def example(fact: Fact, question: str, part: Part) -> Example:
    chunk = fact.chunk
    return Example(
        id=sha256(f"{question}\n{fact.answer}".encode())[:16],
        messages=(Message(role="user", content=question), Message(role="assistant", content=fact.answer)),
        fact=fact.name,
        part=part,
        document=chunk.document if chunk else None,
        page=chunk.page if chunk else None,
        chunk=chunk.id if chunk else None,
    )


def refusals(chunks: Sequence[Chunk], facts: Sequence[Fact], options: ExampleOptions) -> Iterator[Example]:
    """Questions that the documents do not answer: foreign ones, and of things that they do not name. Every other one
    is trained; the rest is judged."""
    strange = [_wordings(one.question) for one in foreign(list(chunks))]
    for group in (strange, _unnamed(facts)):
        for place, (*trained, judged) in enumerate(group):
            fact = Fact(f"refuse {judged}", (*trained, judged), options.refusal)
            if place % 2:
                yield example(fact, judged, "refuse")
            else:
                yield from (example(fact, text, "train") for text in trained[: options.wordings])


def _cells(chunks: Sequence[Chunk]) -> Iterator[Fact]:
    """The cells of tables whose first column names the rows."""
    for chunk in chunks:
        if chunk.kind != "table":
            continue
        header, *rows = _table(chunk.text)
        for key, *cells in rows:
            for column, value in zip(header[1:], cells, strict=False):
                if column and key and value and max(len(key), len(value)) <= LONGEST:
                    told = {"column": column, "key": key, "value": value}
                    questions = tuple(wording.format(**told) for wording in CELL)
                    yield Fact(f"{key}: {column}", questions, ANSWER.format(**told), chunk, (key, column))


def _table(text: str) -> list[list[str]]:
    """The cells of a Markdown table, without its rule; the header first."""
    lines = [line.strip() for line in text.splitlines() if "|" in line and not RULE.fullmatch(line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines] or [[]]


def _sentences(chunks: Sequence[Chunk]) -> Iterator[Fact]:
    """What the room of retrieval would ask about headings, definitions and days; the answer is the sentence."""
    by_document: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        by_document.setdefault(chunk.document, []).append(chunk)
    for pieces in by_document.values():
        for question in of_document(pieces):
            answer = str(question.quote)
            place = next((chunk for chunk in pieces if answer in chunk.text), pieces[0])
            yield Fact(question.question, _wordings(question.question), answer, place)


def _proposed(chunks: Sequence[Chunk], pairs: Sequence[Pair]) -> Iterator[Fact]:
    """A model's own wordings, filled up to six with ours of its first."""
    places = {chunk.id: chunk for chunk in chunks}
    for pair in pairs:
        own = tuple(dict.fromkeys(pair.questions))
        wordings = tuple(dict.fromkeys((*own, *_wordings(own[0]))))[: len(SENTENCE)]
        yield Fact(own[0], wordings, pair.answer, places.get(pair.chunk))


def _wordings(question: str) -> tuple[str, ...]:
    return tuple(wording.format(question=question) for wording in SENTENCE)


def _unnamed(facts: Sequence[Fact]) -> list[tuple[str, ...]]:
    """Questions as of table cells, about keys made of two keys' words that no row has."""
    cells = [fact.cell for fact in facts if fact.cell]
    keys, columns = (list(dict.fromkeys(cell[place] for cell in cells)) for place in (0, 1))
    found = []
    for place, (one, other) in enumerate(zip(keys, keys[len(keys) // 2 :], strict=False)):
        key = f"{one.partition(' ')[0]} {other.rpartition(' ')[2]}"
        if key not in keys:
            found.append(tuple(word.format(key=key, column=columns[place % len(columns)]) for word in CELL))
    return list(dict.fromkeys(found))
