"""Which rows of a newer table a version was trained on: known by content, and where values were edited since, by an
identifier or by the columns that stayed as they were."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.tables.splits import Hashes, mixed, value_hash

Mask = NDArray[np.bool_]

ALIKE = 0.1  # largest share of distinct rows that a key may confuse with others, and still name a row
CHANCE = 3  # how many times more rows must be found than are confused
LOST = 0.1  # share of the trained rows that may be gone without a question
AGREE = 0.5  # agreement beyond chance (Cohen's kappa) of the columns of rows with one identifier
KEPT = (0.05, 0.5, 0.9)  # share of a column's old values that are there still, below which it was recoded
BLOCKS = 6
ALL = 0.99
DRAWS = 99


@dataclass
class Match:
    """Rows of the newer table by what they were known by; `doubtful`: why there may be more."""

    known: dict[str, Mask] = field(default_factory=dict)
    doubtful: str | None = None


class Pair:
    """The columns that a newer and an older table share, hashed value by value; `trained` marks rows of the older."""

    def __init__(self, newer: dict[str, NDArray[Any]], older: dict[str, NDArray[Any]], trained: Mask) -> None:
        self.names = sorted(set(newer) & set(older))
        self.newer, self.older = ({name: table[name] for name in self.names} for table in (newer, older))
        self.here, self.there = (
            {name: value_hash(name, values) for name, values in table.items()} for table in (self.newer, self.older)
        )
        self.sums = [np.add.reduce(list(table.values())) for table in (self.here, self.there)]
        self.trained = trained
        self.whole = self.key(frozenset())
        self.lost = trained & ~among(self.whole[1], self.whole[0])
        self.loose = ~among(self.whole[0], self.whole[1])
        self.first = np.unique(self.whole[1], return_index=True)[1]

    def key(self, without: frozenset[str]) -> tuple[Hashes, Hashes]:
        """A name for each row here and there, from all columns but these."""
        here, there = self.sums
        for name in without:
            here, there = here - self.here[name], there - self.there[name]
        return mixed(here), mixed(there)

    def confused(self, there: Hashes) -> float:
        """The share of the older table's distinct rows that a key does not tell from others: so many it will find
        among rows of their kind by chance."""
        counts = np.unique(there[self.first], return_counts=True)[1]
        return float(counts[counts > 1].sum()) / len(self.first)


def among(values: Hashes, others: Hashes) -> Mask:
    """Which hashes are among others. A table by their upper bits leaves few to be sorted, which is what takes long."""
    shift = np.uint64(64 - max(8, 2 * len(others)).bit_length() - 2)
    spots, others_spots = values >> shift, others >> shift
    maybe: Mask = _marked(others_spots, shift)[spots]
    near = others[_marked(spots[maybe], shift)[others_spots]]
    maybe[maybe] = np.isin(values[maybe], near)
    return maybe


def _marked(spots: Hashes, shift: np.uint64) -> Mask:
    table = np.zeros(2 ** (64 - int(shift)), dtype=bool)
    table[spots] = True
    return table


def match(newer: dict[str, NDArray[Any]], older: dict[str, NDArray[Any]], trained: Mask) -> Match:
    """The rows of the newer table that are `trained` ones of the older: as they were, or edited.

    A row counts as edited only where it has no equal in the older table and its original none in the newer. Chance
    matches are bounded: a key counts only where it tells the rows of the older table apart."""
    pair = Pair(newer, older, trained)
    found = Match({"exact content": among(pair.whole[0], pair.whole[1][trained])})
    if not pair.lost.any() or not pair.loose.any():
        return found
    numbers = [name for name in pair.names if distinct(pair, name)]
    name = next((name for name in numbers if identifies(pair, name)), None)
    if name is not None:
        found.known[f"identifier {name}"] = pair.loose & among(pair.here[name], pair.there[name][trained])
        return found
    for without in left_out(pair, frozenset(numbers)):
        _edited(pair, without, found)
    if pair.lost.sum() > LOST * trained.sum() and pair.loose.any():
        names = (name for name in pair.names if fits(pair, frozenset([name, *numbers])))
        found.doubtful = next((f"without the column {name} those that look new are the same" for name in names), None)
    return found


def distinct(pair: Pair, name: str) -> bool:
    """Whether a column of text, whole numbers or dates has another value in each row of either table."""
    if any(table[name].dtype.kind not in "OiuM" for table in (pair.newer, pair.older)):
        return False
    return all(len(np.unique(values)) == len(values) for values in (pair.here[name], pair.there[name]))


def identifies(pair: Pair, name: str) -> bool:
    """Whether a column of distinct values is an identifier: most columns of rows with the same value agree beyond
    chance. Numbers that start anew with each file name no row."""
    here, there = pair.here[name], pair.there[name]
    _, ours, theirs = np.intersect1d(here, there, assume_unique=True, return_indices=True)
    others = [other for other in pair.names if other != name]
    if len(ours) < 2 or not others:
        return False
    return float(np.median([_kappa(pair.here[o][ours], pair.there[o][theirs]) for o in others])) >= AGREE


def _kappa(one: Hashes, other: Hashes) -> float:
    """How far equal places agree beyond what the values' frequencies would give (Cohen 1960); a constant: fully."""
    values, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    shares = [np.bincount(half, minlength=len(values)) / len(one) for half in np.split(codes, 2)]
    chance = float(shares[0] @ shares[1])
    return 1.0 if chance == 1 else (float(np.mean(one == other)) - chance) / (1 - chance)


def left_out(pair: Pair, numbers: frozenset[str]) -> Iterator[frozenset[str]]:
    """Sets of columns that may have been edited: those whose old values are gone, and beside them each column, and
    any two of six blocks of columns. `numbers` identify nothing, and never count."""
    kept = {name: float(among(pair.there[name][pair.lost], pair.here[name]).mean()) for name in pair.names}
    recoded = [numbers | frozenset(name for name in pair.names if kept[name] < bound) for bound in (0.0, *KEPT)]
    for base in dict.fromkeys(recoded):
        rest = [name for name in pair.names if name not in base]
        if not rest or pair.confused(pair.key(base)[1]) > ALIKE:
            continue
        blocks = [rest[place::BLOCKS] for place in range(min(BLOCKS, len(rest)))]
        singles = [[name] for name in rest]
        pairs = [[*one, *other] for one, other in combinations(blocks, 2)]
        yield from (base | frozenset(more) for more in [[], *singles, *pairs] if len(more) < len(rest))


def _edited(pair: Pair, without: frozenset[str], found: Match) -> None:
    """Take the rows that are equal but for these columns from those that look new, and from the lost."""
    if not pair.lost.any() or not pair.loose.any():
        return
    here, there = pair.key(without)
    hit = pair.loose & among(here, there[pair.lost])
    if not hit.any():
        return
    confused = pair.confused(there)
    if confused > ALIKE or hit.sum() <= CHANCE * confused * pair.loose.sum():
        return
    pair.lost &= ~among(there, here[hit])
    pair.loose &= ~hit
    words = sorted(without)
    some = ", ".join(words) if len(words) < 4 else f"{', '.join(words[:3])} and {len(words) - 3} more"
    found.known[f"all columns but {some}"] = hit


def fits(pair: Pair, without: frozenset[str]) -> bool:
    """Whether nearly every lost row has one that looks new of its own, equal but for these columns, more than when
    the two are shuffled: the sign of an edit where no key names a row."""
    here, there = pair.key(without)
    lost, loose = there[pair.lost], here[pair.loose]
    if among(lost, loose).mean() < ALL:
        return False
    codes = np.unique(np.concatenate([lost, loose]), return_inverse=True)[1]
    counts = np.bincount(codes)
    present = _shared(np.bincount(codes[: len(lost)], minlength=len(counts)), counts)
    if present < ALL * len(lost):
        return False
    random = np.random.default_rng(0)
    drawn = (random.multivariate_hypergeometric(counts, len(lost), method="marginals") for _ in range(DRAWS))
    return all(_shared(draw, counts) < present for draw in drawn)


def _shared(part: NDArray[Any], counts: NDArray[Any]) -> int:
    return int(np.minimum(part, counts - part).sum())
