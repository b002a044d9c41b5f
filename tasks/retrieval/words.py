"""Words, stems and sentences of questions and documents: what overlap is measured in."""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from py_rust_stemmers import SnowballStemmer
from qdrant_edge import Bm25, Bm25Config

from tasks.retrieval.points import LANGUAGES


def wordset(text: str) -> frozenset[str]:
    return frozenset(text.split())


# words that carry no topic: they are in every text
FUNCTION = wordset(
    "a about above after again against all also am an and any are as at be because been before being below between "
    "both but by can could did do does doing down during each either else ever every few for from further had has "
    "have having he her here hers him his how i if in into is it its itself just let many may me might more most much "
    "must my no nor not now of off often on once one only or other ought our out over own per please same shall she "
    "should so some such than that the their them then there these they this those through to too under until up upon "
    "us very was we were what when where whether which while who whom whose why will with within without would yet "
    "you your s t d ll m re ve don doesn didn isn aren wasn won shouldn couldn wouldn "
    "hello hi ok okay really sure thank thanks yes"
)
# words that questions are built with: a text may answer without them
ASKING = wordset(
    "according answer answers ask asked call called come define defined definition describe described differ "
    "difference different do documents done exactly example examples explain explained find gave get give given go "
    "happen happens help include included including kind kinds know like list long look made make makes mean meaning "
    "means mention mentioned name named need needed needs number part people possible proceed purpose put question "
    "related role said say says see show showed somebody someone something state stated take tell text thing things "
    "think time times type types use used uses using want way ways word words work works write"
)
WORD = re.compile(r"[^\W_]+(?:[.,:]\d+)*")
# scripts without spaces are read in pairs of characters
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]+")
ENDS = re.compile(
    r"(?<=[.!?\u3002\uff01\uff1f])[\"')\]\u201d\u2019]*\s+(?=[\"'(\[\u201c\u2018]*[^\s\W_a-z])|(?<=[\u3002\uff01\uff1f])"
)
PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*\u2022\u2013|#]|\d+[.)]\s))")
# text that orders a reader about who is not a person: no answer, and no sign of one
ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|rules|prompts?|above|previous)\b"
    r"|\bsystem prompt\b|\byou are (?:now )?an? (?:ai|assistant|language model|chatbot)\b"
    r"|\b(?:note|message|instructions?) (?:to|for) (?:\w+ )?(?:ai|llm|language model|assistant|chatbot)s?\b"
    r"|\b(?:reply|respond|answer|say|output|print) (?:only|exactly|nothing but|just|with the (?:words?|text|phrase))\b"
    r"|\b(?:you|ai|llm|language model|assistant)s?\b.{0,40}\bmust (?:now )?(?:say|reply|answer|respond|output|print)\b"
    r"|\banswer to your question\b|<!--|<\|",
    re.IGNORECASE,
)
ENGLISH = "english"


def plain(text: str) -> str:
    """Composed, without ligatures, with one kind of apostrophe."""
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'")


def words(text: str) -> list[str]:
    """The words of a text in order, as written."""
    found: list[str] = []
    for word in WORD.findall(plain(text)):
        found += _pairs(word) if UNSPACED.search(word) else [word]
    return found


def language_named(code: str) -> str | None:
    """The language of stop words and stems; None where none are known. A text that does not tell its language is
    read as English, as the index reads it."""
    return LANGUAGES.get(code) if code else ENGLISH


@lru_cache(maxsize=65536)
def stem(word: str, language: str = ENGLISH) -> str:
    return str(_stemmer(language).stem_word(word.casefold()))


def stems(text: str, language: str = ENGLISH) -> list[str]:
    return [stem(word, language) for word in words(text)]


def carries_nothing(word: str, language: str) -> bool:
    """Whether it is a function word: one of ours in English, elsewhere a stop word that BM25 leaves out."""
    if language == ENGLISH:
        return word.casefold() in FUNCTION
    return not _bm25(language).embed_query(word.casefold()).indices


def topical(text: str) -> list[str]:
    """The words that say what a text is about, as written, each once."""
    kept = {stem(word): word for word in reversed(words(text)) if word.casefold() not in FUNCTION | ASKING}
    return list(reversed(kept.values()))


def sentences(text: str) -> list[str]:
    """Sentences, list items and table rows, in order; a line that is only wrapped is joined again."""
    found: list[str] = []
    for paragraph in PARAGRAPH.split(text):
        joined = " ".join(paragraph.split())
        found += [part.strip() for part in ENDS.split(joined) if part and part.strip()]
    return found


@cache
def _stemmer(language: str) -> Any:
    return SnowballStemmer(language)


@cache
def _bm25(language: str) -> Any:
    return Bm25(Bm25Config(language=language))


def _pairs(word: str) -> list[str]:
    return [word[place : place + 2] for place in range(max(1, len(word) - 1))]
