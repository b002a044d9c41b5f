"""Questions proposed from the corpus itself, where no person has written golden ones: deterministic and rough.

They show whether an index finds what it holds; whether that is what people ask, only people know."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import zip_longest

import yaml

from tasks.artifacts import Artifact, current
from tasks.documents.chunk_file import Chunk, read_chunks
from tasks.retrieval.golden import Asked, Question, settle, words
from tasks.retrieval.words import sentences as cut
from tasks.retrieval.words import topical

MOST = 100
PER_DOCUMENT = 12
FEWEST = 3  # of a document, before plain sentences are asked about too
ABOUT = 4  # words of a sentence that a question names
LONGEST = 60  # words of a quote
DEFINITION = re.compile(
    r"(?P<article>An? |The )?(?P<what>[A-Za-z][\w-]*(?: [\w-]+){0,3}?) (?P<verb>is|are|means) (?:an?|the) \w+"
)
DAY = re.compile(
    r"\b(?:\d{1,2} (?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sep|Oct|Nov|Dec)[a-z]*(?: \d{4})?|\d{4}-\d\d-\d\d"
    r"|(?:January|February|March|April|May|June|July|August|September|October|November|December) \d{1,2}\b(?:, \d{4})?)"
)
AMOUNT = re.compile(r"\b(?P<much>\d+(?:[.,]\d+)*)(?: ?(?P<percent>%|percent)| (?P<unit>[a-z]{3,}s)\b)")
VAGUE = {"it", "this", "that", "these", "those", "there", "they", "here", "what", "which", "he", "she", "we", "you"}
FOREIGN = (
    "Who won the women's marathon at the 1984 Olympic Games?",
    "How long should a goose rest after roasting?",
    "Which chess opening did Bobby Fischer call a bust?",
    "What is the melting point of tungsten carbide?",
    "How do I change the brake pads of a tram?",
    "Who painted the ceiling of the opera house in Paris?",
    "What is the population of Ulaanbaatar?",
    "How deep does an emperor penguin dive?",
    "Which wood is best for the back of a violin?",
    "When did the last passenger pigeon die?",
    "How many strings has a Ukrainian bandura?",
    "What does a sommelier mean by a corked bottle?",
    "Which volcano buried the town of Plymouth on Montserrat?",
    "How is saffron harvested?",
    "Who was the first tsar of Bulgaria?",
    "What is the top speed of a peregrine falcon?",
    "How often must a sourdough starter be fed?",
    "Which moon of Saturn has lakes of methane?",
    "What is the recipe for a Savoy omelette?",
    "Who composed the anthem of Uruguay?",
)


def propose(chunks: Artifact) -> Asked:
    """Questions of this corpus and foreign ones, settled as golden ones are."""
    return settle(proposals(read_chunks(current().path(chunks))), chunks, proposed=True)


def proposals(chunks: list[Chunk]) -> tuple[Question, ...]:
    """Up to a hundred questions, taken from the documents in turn, then the unanswerable ones."""
    by_document: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in sorted(chunks, key=lambda chunk: (chunk.document, chunk.number)):
        by_document[chunk.document].append(chunk)
    drafts = [_spread(list(_of_document(pieces))) for pieces in by_document.values()]
    turns = [draft for turn in zip_longest(*drafts) for draft in turn if draft is not None]
    times = Counter(draft.question for draft in turns)
    told = [draft for draft in turns if times[draft.question] == 1][:MOST]  # asked twice, it has two answers
    numbered = [draft.model_copy(update={"id": f"proposed-{place:03}"}) for place, draft in enumerate(told, start=1)]
    return (*numbered, *_foreign(chunks))


def as_yaml(questions: tuple[Question, ...]) -> str:
    """A file for data/golden/, to be corrected by someone who knows the documents."""
    rows = [question.model_dump(mode="json", exclude_defaults=True) for question in questions]
    return yaml.safe_dump({"questions": rows}, sort_keys=False, allow_unicode=True, width=110)


def _of_document(chunks: list[Chunk]) -> Iterator[Question]:
    texts = [(chunk, _sentences(chunk)) for chunk in chunks if chunk.kind == "text"]
    found: dict[str, str] = {}
    for chunk, sentences in texts:
        for question, quote in [*_about_heading(chunk, sentences), *_in_sentences(chunk, sentences)]:
            found.setdefault(question, quote)
    if len(found) < FEWEST:
        middles = [sentences[len(sentences) // 2] for _, sentences in texts if sentences]
        found |= {_about(sentence): sentence for sentence in middles if len(topical(sentence)) > 1}
    for question, quote in found.items():
        yield Question(id="-", question=question, document=chunks[0].document, quote=quote)


def _sentences(chunk: Chunk) -> list[str]:
    return [text for text in cut(chunk.text) if 5 <= len(words(text)) <= LONGEST]


def _about(sentence: str) -> str:
    """A question made of the words that say what a sentence is about."""
    return f"What is said about {', '.join(word.lower() for word in topical(sentence)[:ABOUT])}?"


def _about_heading(chunk: Chunk, sentences: list[str]) -> Iterator[tuple[str, str]]:
    heading = chunk.heading[-1].strip(" .:") if chunk.heading else ""
    if sentences and len(words(heading)) in range(1, 11) and heading != chunk.title:
        who = f'"{chunk.title}"' if chunk.title else "the document"
        yield f'What does {who} say about "{heading}"?', sentences[0]


def _in_sentences(chunk: Chunk, sentences: list[str]) -> Iterator[tuple[str, str]]:
    """Definitions, days and amounts; where a sentence alone is vague, the question names its place."""
    place = chunk.heading[-1].strip(" .:") if chunk.heading else chunk.title
    about = f' according to "{place}"' if place else ""
    for sentence in sentences:
        if (defined := DEFINITION.match(sentence)) and defined["what"].split()[0].lower() not in VAGUE:
            what = f"{(defined['article'] or '').lower()}{_lowered(defined['what'])}"
            yield f"What {'are' if defined['verb'] == 'are' else 'is'} {what}?", sentence
        if day := DAY.search(sentence):
            yield f"What is on {day[0]}{about}?", sentence
        elif amount := AMOUNT.search(sentence):
            what = "What percentage is given" if amount["percent"] else f"How many {amount['unit']} are there"
            yield f"{what}{about}?", sentence


def _lowered(text: str) -> str:
    """Without the capital that only opens a sentence."""
    second = text.partition(" ")[2]
    return text if text[1:2].isupper() or second[:1].isupper() else text[:1].lower() + text[1:]


def _spread(drafts: list[Question]) -> list[Question]:
    """A document's share, from its beginning to its end."""
    if len(drafts) <= PER_DOCUMENT:
        return drafts
    return [drafts[place * len(drafts) // PER_DOCUMENT] for place in range(PER_DOCUMENT)]


def _foreign(chunks: list[Chunk]) -> list[Question]:
    """Those of the fixed questions that this corpus cannot answer: no chunk has most of their longer words."""
    held = [set(words(chunk.text)) for chunk in chunks]
    kept = []
    for place, text in enumerate(FOREIGN, start=1):
        telling = {word for word in words(text) if len(word) > 4}
        if not any(len(telling & some) > len(telling) / 2 for some in held):
            kept.append(Question(id=f"foreign-{place:02}", question=text, answerable=False))
    return kept
