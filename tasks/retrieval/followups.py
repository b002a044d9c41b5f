"""A question that leans on the ones before it, made to stand alone without a model: it takes along their topic."""

from collections.abc import Sequence

from tasks.retrieval.words import plain, stem, topical, words, wordset

POINTING = wordset("he her him his its she their theirs them they")
MAYBE = wordset("it one ones that these this those")  # also "is it possible to", "models that"
OPENING = wordset("also and but or so then why")
# what something else has: alone, such words ask about what was spoken of before
RELATIVE = wordset(
    "allowed author cost date day deadline due fail first format graded last late length location long longer next "
    "other others page pages penalty place points reason required requirement requirements rest result second size "
    "submit submitted third title weight worth year"
)
FEW = 2  # topical words that a continued question may have of its own
CARRIED = 6


def standalone(question: str, earlier: Sequence[str]) -> str:
    """`question` with the topic of the user's `earlier` questions (oldest first) where it has none of its own."""
    known = ""
    for one in earlier:
        known = _carry(one, known)
    return _carry(question, known)


def leans(question: str) -> bool:
    """Whether a question says less than it asks: it points back, continues, or names only a property."""
    said = [word.casefold() for word in words(question)]
    topics = topical(question)
    if not topics or POINTING & set(said) or all(topic.casefold() in RELATIVE for topic in topics):
        return True
    opening = said[0] in OPENING or said[:2] in (["what", "about"], ["how", "about"])
    return (opening and len(topics) <= FEW) or (len(topics) < FEW and bool(MAYBE & set(said)))


def _carry(question: str, known: str) -> str:
    if not known or not leans(question):
        return question
    own = {stem(word) for word in words(question)}
    swapped = bool(topical(question)) and not all(word.casefold() in RELATIVE for word in topical(question))
    taken = [word for word in topical(known) if stem(word) not in own and not (swapped and _names(word))]
    if any(word[0].isdigit() for word in words(question)):
        taken = [word for word in taken if not word[0].isdigit()]
    return f"{plain(question).strip()} ({' '.join(taken[:CARRIED])})" if taken else question


def _names(word: str) -> bool:
    """An acronym names one thing: "and k-means?" asks the same of another."""
    return len(word) > 1 and word.isupper()
