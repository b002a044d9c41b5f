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
from tasks.retrieval.words import words as as_written

MOST = 100
PER_DOCUMENT = 12
FEWEST = 3  # of a document, before plain sentences are asked about too
ABOUT = 4  # words of a sentence that a question names
LONGEST = 60  # words of a quote
DEFINITION = re.compile(
    r"(?P<article>An? )?(?P<what>[A-Za-z][\w-]*(?: [\w-]+){0,3}?) (?P<verb>is|are|means) (?:an?|the) \w+"
)
DAY = re.compile(
    r"\bon (?P<day>\d{1,2} (?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sep|Oct|Nov|Dec)[a-z]*(?: \d{4})?|\d{4}-\d\d-\d\d"
    r"|(?:January|February|March|April|May|June|July|August|September|October|November|December) \d{1,2}\b(?:, \d{4})?)"
)
ENDED = re.compile(r"[.!?\u3002\uff01\uff1f][\"')\]\u201d\u2019]*$")
CUT_SHORT = re.compile(r"\b[A-Z][a-z]{0,3}\.$")  # an abbreviation that was taken for the end
OPENING = {"additionally", "finally", "furthermore", "hence", "however", "instead", "moreover", "therefore", "thus"}
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
    drafts = [_spread(list(of_document(pieces))) for pieces in by_document.values()]
    turns = [draft for turn in zip_longest(*drafts) for draft in turn if draft is not None]
    times = Counter(draft.question for draft in turns)
    told = [draft for draft in turns if times[draft.question] == 1][:MOST]  # asked twice, it has two answers
    numbered = [draft.model_copy(update={"id": f"proposed-{place:03}"}) for place, draft in enumerate(told, start=1)]
    return (*numbered, *foreign(chunks))


def as_yaml(questions: tuple[Question, ...]) -> str:
    """A file for data/golden/, to be corrected by someone who knows the documents."""
    rows = [question.model_dump(mode="json", exclude_defaults=True) for question in questions]
    return yaml.safe_dump({"questions": rows}, sort_keys=False, allow_unicode=True, width=110)


def of_document(chunks: list[Chunk]) -> Iterator[Question]:
    texts = [(chunk, _sentences(chunk)) for chunk in chunks if chunk.kind == "text"]
    places = {" ".join(words(part)) for chunk in chunks for part in (chunk.title, *chunk.heading)}
    written = {word for chunk in chunks for word in as_written(chunk.text)}
    found: dict[str, str] = {}
    for chunk, sentences in texts:
        whole = [sentence for sentence in sentences if _whole(sentence)]
        for question, quote in [*_about_heading(chunk, sentences), *_in_sentences(chunk, whole, places, written)]:
            found.setdefault(question, quote)
    for question, quote in _plain([sentences for _, sentences in texts if sentences]):
        if len(found) >= FEWEST:
            break
        found.setdefault(question, quote)
    for question, quote in found.items():
        yield Question(id="-", question=question, document=chunks[0].document, quote=quote)


def _sentences(chunk: Chunk) -> list[str]:
    return [text for text in cut(chunk.text) if 5 <= len(words(text)) <= LONGEST]


def _whole(sentence: str) -> bool:
    """Whether it begins and ends as a sentence does: the rest of a formula or a list item's lead says nothing alone."""
    first = next((letter for letter in sentence if letter.isalnum()), "")
    return not first.islower() and bool(ENDED.search(sentence)) and not CUT_SHORT.search(sentence)


def _plain(texts: list[list[str]]) -> Iterator[tuple[str, str]]:
    """Sentences named by the words that say what they are about: the middle of each piece, whole ones first."""
    spread = [sentences[len(sentences) // 2] for sentences in texts]
    spread += [sentence for sentences in texts for sentence in sentences]
    for sentence in sorted(spread, key=_whole, reverse=True):
        about = [word.lower() for word in topical(sentence) if len(word) > 1 and word.lower() not in OPENING]
        if len(about) > 1:
            yield f"What is said about {', '.join(about[:ABOUT])}?", sentence


def _about_heading(chunk: Chunk, sentences: list[str]) -> Iterator[tuple[str, str]]:
    heading = chunk.heading[-1].strip(" .:") if chunk.heading else ""
    if sentences and len(words(heading)) in range(1, 11) and heading != chunk.title:
        who = f'"{chunk.title}"' if chunk.title else "the document"
        yield f'What does {who} say about "{heading}"?', sentences[0]


def _in_sentences(chunk: Chunk, whole: list[str], places: set[str], written: set[str]) -> Iterator[tuple[str, str]]:
    """Definitions and days; where a sentence alone is vague, the question names its place.

    No amounts: which word after a number is what is counted ("2 books", "Problem 2 gives") only a dictionary tells."""
    place = chunk.heading[-1].strip(" .:") if chunk.heading else chunk.title
    about = f' according to "{place}"' if place else ""
    for sentence in whole:
        if (defined := DEFINITION.match(sentence)) and _named(defined, places):
            what = defined["what"] if defined["article"] else _lowered(defined["what"], written)
            article = (defined["article"] or "").lower()
            yield f"What {'are' if defined['verb'] == 'are' else 'is'} {article}{what}?", sentence
        if day := DAY.search(sentence):
            yield f"What happens on {day['day']}{about}?", sentence


def _named(defined: re.Match[str], places: set[str]) -> bool:
    """Whether it is a term: words with a topic, no "your" or "2"; without an article a title or heading has it."""
    term = words(defined["what"])
    if len(topical(defined["what"])) < len(set(term)) or any(len(word) == 1 or word[-1].isdigit() for word in term):
        return False
    return bool(defined["article"]) or any(f" {' '.join(term)} " in f" {place} " for place in places)


def _lowered(text: str, written: set[str]) -> str:
    """Without the capital that only opens a sentence: the document has the word without it, too."""
    small = text[:1].lower() + text[1:]
    return small if small.partition(" ")[0] in written else text


def _spread(drafts: list[Question]) -> list[Question]:
    """A document's share, from its beginning to its end."""
    if len(drafts) <= PER_DOCUMENT:
        return drafts
    return [drafts[place * len(drafts) // PER_DOCUMENT] for place in range(PER_DOCUMENT)]


def foreign(chunks: list[Chunk]) -> list[Question]:
    """Those of the fixed questions that this corpus cannot answer: no chunk has most of their longer words."""
    held = [set(words(chunk.text)) for chunk in chunks]
    kept = []
    for place, text in enumerate(FOREIGN, start=1):
        telling = {word for word in words(text) if len(word) > 4}
        if not any(len(telling & some) > len(telling) / 2 for some in held):
            kept.append(Question(id=f"foreign-{place:02}", question=text, answerable=False))
    return kept
