"""A checked table with its texts and labels: what is split, learned and judged, row by row."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact
from tasks.creative.specs import GOOD, SAME, TEXT, Reading
from tasks.creative.texts import has_words, rendered, same, too_long
from tasks.errors import BadInput
from tasks.sources.frames import put_table, read_table


class Texts(BaseModel):
    """`artifact`: the rows that have words, with the text as `_text`, what equal texts share as `_same`, and the label.

    `empty` rows had no word, `cut` ones a column longer than is read."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    rows: int
    empty: int
    cut: int


def label(table: Artifact, reading: Reading) -> Texts:
    """BadInput: a column that is not there, a label or rating that is missing, no text with a word."""
    rows = read_table(table)
    named = [*reading.texts, reading.label or reading.rating]
    if missing := [name for name in named if name not in rows.column_names]:
        raise BadInput(f"The recipe names {', '.join(map(str, missing))}, which the data does not have; correct it.")
    if own := [name for name in rows.column_names if name in (TEXT, SAME, GOOD)]:
        raise BadInput(f"A column of the data is called {own[0]}, as one of ours is; rename it.")
    rows = _judged(rows, reading)
    records = rows.select(list(reading.texts)).to_pylist()
    texts = [rendered(record, reading.texts) for record in records]
    kept = [has_words(text) for text in texts]
    cut = sum(any(map(too_long, record.values())) for record in records)
    if not any(kept):
        raise BadInput(f"No row has a word in {', '.join(reading.texts)}; see `texts` in the recipe.")
    rows = rows.append_column(TEXT, pa.array(texts, pa.string()))
    rows = rows.append_column(SAME, pa.array([same(text) for text in texts], pa.string()))
    artifact = put_table("texts", rows.filter(pa.array(kept)))
    return Texts(artifact=artifact, rows=sum(kept), empty=len(kept) - sum(kept), cut=cut)


def _judged(rows: pa.Table, reading: Reading) -> pa.Table:
    """With the label, made of the rating where there is none."""
    name = str(reading.label or reading.rating)
    if rows[name].null_count:
        raise BadInput(
            f"{rows[name].null_count} rows have no {name!r}, which is what is learned: say in the contract that it "
            "must be there, and they go to the quarantine."
        )
    if reading.label is not None:
        found = pc.value_counts(rows[name])
        if len(found) != 2:
            told = ", ".join(f"{one['values']!r}" for one in found.to_pylist()[:5])
            raise BadInput(
                f"The label {name!r} has {len(found)} values ({told}), and two are told apart: correct the rows, or "
                "say in the contract which two there are, and the others go to the quarantine."
            )
        return rows
    kind: Any = rows[name].type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise BadInput(f"The rating {name!r} is no number but {kind}; name it as `label` in the recipe.")
    good = pc.greater_equal(rows[name], reading.threshold)
    if len(pc.unique(good)) < 2:
        least, most = pc.min_max(rows[name]).as_py().values()
        raise BadInput(
            f"The rating {name!r} goes from {least:g} to {most:g}, so all texts are "
            f"{'good' if least >= reading.threshold else 'bad'} with a threshold of {reading.threshold:g}; set "
            "`threshold` in the recipe."
        )
    return rows.append_column(GOOD, good)
