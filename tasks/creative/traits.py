"""Facts of a record that tell drift without telling its text: the service logs them, the reference has them, too."""

from typing import Any

Row = dict[str, Any]


def traits(row: Row, cut: bool) -> Row:
    """Its numbers, and counts of its texts; `cut`: only the beginning was read."""
    texts = [value for value in row.values() if isinstance(value, str)]
    numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
    letters = [one for text in texts for one in text if one.isalpha()]
    return {
        **numbers,
        "chars": sum(map(len, texts)),
        "words": sum(len(text.split()) for text in texts),
        "capitals": round(sum(one.isupper() for one in letters) / max(len(letters), 1), 3),
        "cut": cut,
    }
