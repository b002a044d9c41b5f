"""What a champion's answers are compared with: rows of its training snapshot that it was not fitted on."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, Store, canonical, current
from tasks.creative.served import Served
from tasks.sources.frames import put_table, read_table
from tasks.tables.arrays import column_array, parts_of, target_of
from tasks.tables.batches import answer
from tasks.tables.evaluation import scored
from tasks.tables.predictor import Predictor
from tasks.tables.requests import request_rows
from tasks.tables.specs import Label, Subject
from tasks.watching.drift import FEWEST
from tasks.watching.frames import PREDICTION, Shape, asked, shape_of
from tasks.watching.meaning import embedded


class Reference(BaseModel):
    """`frame`: the watched columns of the rows; `scored`: truth and predictions `p0`... of those that test, from which
    an estimate is calibrated, where there is a truth. `classes` are in the order of the predictions."""

    model_config = ConfigDict(frozen=True)

    frame: Artifact
    scored: Artifact | None = None
    shape: Shape
    classes: tuple[Label, ...] = ()


def of_table(folder: Artifact, time: str | None = None) -> Reference:
    """The reference of a tabular release folder: the rows of its snapshot that it was not fitted on, of the newest
    moments by the `time` column; where these are few the whole snapshot without predictions, which on rows that it was
    fitted on would be too sure. NotFound: the snapshot is gone."""
    predictor = Predictor.load(current().path(folder))
    release = predictor.release
    table, split = (Artifact.model_validate(release["inputs"][name]) for name in ("table", "split"))
    subject = Subject.model_validate(release["subject"])
    rows = read_table(table)
    unseen = np.flatnonzero(parts_of(split) != "train")
    said = answer(predictor, rows.select([field.name for field in predictor.schema]).take(pa.array(unseen)))
    shape, classes = shape_of(release), tuple(predictor.model.card.classes)
    shares = [column for name, column in said.items() if name.startswith("probability")] or [said["prediction"]]
    truth = target_of(column_array(rows, subject.target)[unseen], subject, classes)
    known = {"truth": pa.array(truth), **{f"p{place}": share for place, share in enumerate(shares)}}
    if len(unseen) < FEWEST:
        shape, frame = shape.model_copy(update={"prediction": None}), rows
    else:
        frame = rows.take(pa.array(unseen))
    frame = frame.select(list(shape.columns))
    if shape.prediction:
        frame = frame.append_column(PREDICTION, shares[0] if shape.task == "binary" else said["prediction"])
        frame = frame.filter(newest(column_array(rows, time)[unseen])) if time else frame
    return Reference(
        frame=put_table("references", frame.cast(shape.schema)),
        scored=put_table("references", pa.table(known)),
        shape=shape,
        classes=classes,
    )


def newest(times: NDArray[Any]) -> pa.Array:
    """Whole moments from the newest back, until they hold a tenth of the rows and enough: older ones may differ by
    themselves."""
    known = np.array([value is not None and value == value for value in times.tolist()])
    moments, counts = np.unique(times[known], return_counts=True)
    if known.sum() < FEWEST:
        return pa.array(np.ones(len(times), dtype=bool))
    since = moments[::-1][np.searchsorted(np.cumsum(counts[::-1]), max(FEWEST, known.sum() // 10))]
    inside = known.copy()
    inside[known] = times[known] >= since
    return pa.array(inside)


def of_texts(folder: Artifact, scores: Artifact, weights: Artifact | None = None) -> Reference:
    """The reference of a creative release folder: facts of the texts that it did not learn from, scored by itself; with
    `weights` of an embedding model also what they mean. Where they are few it is the whole snapshot, without what a
    model knows too well of texts that it learned from."""
    served = Served.load(current().path(folder), current().path)
    release = json.loads((current().path(folder) / "release.json").read_bytes())
    table, subject = Artifact.model_validate(release["inputs"]["table"]), Subject.model_validate(release["subject"])
    parts = [scored(scores, table, subject, part) for part in ("valid", "test")]
    unseen, truth, said = (
        np.concatenate([*some])
        for some in zip(*((part.positions, part.target, part.predictions[:, 0]) for part in parts), strict=True)
    )
    shape, rows = shape_of(release), read_table(table)
    if len(unseen) < FEWEST:
        kept = {name: kind for name, kind in shape.columns.items() if name != "unknown_words"}
        shape = shape.model_copy(update={"columns": kept, "prediction": None})
    else:
        rows = rows.take(pa.array(unseen))
    asking = request_rows(rows, [field.name for field in served.schema])
    facts = [served.traits(row, bool(served.classifier.cut(row, served.classifier.text(row)))) for row in asking]
    columns = {name: [fact.get(name) for fact in facts] for name in shape.columns}
    frame = pa.table(columns | ({PREDICTION: said.tolist()} if shape.prediction else {}), schema=shape.schema)
    if weights is not None:
        frame = embedded(frame, [asked(row, shape.texts) for row in asking], weights)
    return Reference(
        frame=put_table("references", frame),
        scored=put_table("references", pa.table({"truth": pa.array(truth), "p0": pa.array(said)})),
        shape=shape,
        classes=tuple(served.classifier.card.classes),
    )


def of_answers(store: Store, release: str, champion: int) -> Reference | None:
    """The reference of a champion that has no rows of its own: its first window, once that is there."""
    name = _name(release, champion)
    return (
        Reference.model_validate_json(store.read(name)) if name in store.list(f"watch/{release}/references") else None
    )


def keep_answers(store: Store, release: str, champion: int, shape: Shape, rows: pa.Table) -> Reference:
    """Make these rows the reference; where another window was first, that one is."""
    reference = Reference(frame=put_table("references", rows), shape=shape)
    store.create(_name(release, champion), canonical(reference.model_dump(mode="json")))
    return Reference.model_validate_json(store.read(_name(release, champion)))


def _name(release: str, champion: int) -> str:
    return f"watch/{release}/references/{champion:06}.json"
