"""The language of a text by its script or, for Latin letters, its commonest words; "" where these do not decide."""

import re
from collections import Counter

COMMON = {
    "en": "the of and to in is that for it with as was on are be this by not or from at have which you an we can",
    "de": "der die und das den von zu mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat",
    "fr": "le la les de et des du en un une est que dans qui pour par sur au pas plus ne avec ce sont il aux cette",
    "es": "el la los las de que y en un una es por con para del se no al como más su lo este sus entre son esta",
    "it": "il la di che e un una per in del della dei le con non si da sono alla nel al più come gli anche delle",
    "pt": "o a os as de que e em um uma do da para com não no na por dos das se mais ao como são pelo este à foi",
    "nl": "de het een en van in is dat op te voor met zijn niet aan er om ook als bij door worden wordt naar deze of",
}
WORDS = {code: frozenset(words.split()) for code, words in COMMON.items()}
SCRIPTS = {
    "ja": re.compile("[\u3040-\u30ff]"),
    "ko": re.compile("[\uac00-\ud7af\u1100-\u11ff]"),
    "zh": re.compile("[\u4e00-\u9fff\u3400-\u4dbf]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "ru": re.compile("[\u0400-\u04ff]"),
    "el": re.compile("[\u0370-\u03ff]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
    "hi": re.compile("[\u0900-\u097f]"),
}
NOT_RUSSIAN = re.compile("[іїєґўђћљњџѓќ]", re.IGNORECASE)
NOT_ARABIC = re.compile("[پچژگٹڈ]")
LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
WORD = re.compile("[^\\W\\d_]+")
SAMPLE = 30_000  # characters
FEW, SHORT = 6, 2  # common words at the least, of a document and of a question


def language(text: str, few: int = FEW) -> str:
    """A two-letter code, or "" when the text is too short, mixed, or in a language that is not told apart.

    `few` common words of a language tell it, at the least."""
    sample = text[:SAMPLE]
    if not sample.isascii():
        counts = {code: len(script.findall(sample)) for code, script in SCRIPTS.items()}
        code = max(counts, key=lambda script: counts[script])
        if counts["ja"] * 5 > counts["zh"] > counts["ko"]:
            code = "ja"
        if counts[code] > len(LATIN.findall(sample)):
            mixed = {"ru": NOT_RUSSIAN, "ar": NOT_ARABIC}.get(code)
            return "" if mixed and mixed.search(sample) else code
    words = Counter(WORD.findall(sample.lower()))
    scores = {code: sum(words.get(word, 0) for word in common) for code, common in WORDS.items()}
    first, second = sorted(scores, key=lambda code: -scores[code])[:2]
    clear = scores[first] > 1.2 * scores[second] and scores[first] * 8 > words.total()
    return first if clear and scores[first] >= few else ""


JUNK = re.compile("[\ufffd\ue000-\uf8ff\u0100-\u024f\U000f0000-\U0010ffff]")
PLAIN = re.compile("[A-Za-z\u00c0-\u00ff]")


def garbled(text: str) -> bool:
    """Whether most letters belong to no written language, as from fonts that do not say what their glyphs mean."""
    junk = len(JUNK.findall(text))
    return junk >= 4 and junk > len(PLAIN.findall(text)) and junk * 2 > len(WORD.findall(text))
