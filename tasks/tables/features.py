"""The feature table: the one Parquet artifact that training, evaluation and batch scoring share, row by row."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.sources.frames import put_table, read_table
from tasks.tables import own_features
from tasks.tables.arrays import kind_of
from tasks.tables.requests import input_names, request_rows
from tasks.tables.specs import Subject

SOME = 5
MOST_CLASSES = 100


def source(reference: str | None, folders: list[Path]) -> Artifact | None:
    """The user's feature module as an artifact, so that its text is in the key and travels in the release."""
    if reference is None:
        return None
    path = own_features.find(reference, folders)
    own_features.load(path, reference)  # what is wrong with it is said of the user's own file, not of the store's copy
    return current().put_file("code", path, ".py", meta={"name": path.name})


def build(
    name: str,
    table: Artifact,
    subject: Subject,
    drop: tuple[str, ...] = (),
    function: str | None = None,
    code: Artifact | None = None,
) -> Artifact:
    """The feature table `name` of a checked table: inputs (or what `function` makes of them), carried columns, target.

    BadInput where nothing can be learned from it: target missing, null or of one class, a column without a value,
    too few rows."""
    rows = read_table(table)
    _check_target(rows, subject)
    kept = input_names(rows.column_names, subject, drop)
    _check_columns(rows, kept, drop, subject)
    inputs = rows.select(kept)
    if function is not None and code is not None:
        inputs = derive(inputs, function, code)
    beside = [column for column in (*subject.carried, subject.target) if column in rows.column_names]
    clash = set(inputs.column_names) & set(beside)
    if clash:
        raise BadInput(
            f"The features {function} return {', '.join(sorted(clash))}, the target or a carried column; rename it."
        )
    for column in inputs.column_names:
        kind_of(column, inputs.schema.field(column).type)
    for column in beside:
        inputs = inputs.append_column(column, rows[column])
    return put_table("features", inputs, {"name": name, "inputs": inputs.column_names[: -len(beside)]})


def rebuild(table: Artifact, release: Artifact) -> Artifact:
    """The feature table that an existing release would have of this table: by its own recipe and its own function."""
    folder = current().path(release)
    record = json.loads((folder / "release.json").read_bytes())
    own = record["features"]
    code = current().put_file("code", folder / own["file"], ".py") if own else None
    subject = Subject.model_validate(record["subject"])
    return build(record["release"], table, subject, tuple(record["drop"]), own["function"] if own else None, code)


def derive(inputs: pa.Table, function: str, code: Artifact) -> pa.Table:
    """The user's function over every row, fed exactly as the service feeds it: plain values, dates as ISO text."""
    apply = own_features.load(current().path(code), function)
    derived = [apply(row) for row in request_rows(inputs, inputs.column_names)]
    names = list(dict.fromkeys(name for row in derived for name in row))
    try:
        columns = {name: pa.array([row.get(name) for row in derived]) for name in names}
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadInput(f"The features {function} return one column with values of several types: {error}.") from None
    empty = [name for name, column in columns.items() if pa.types.is_null(column.type)]
    if empty or not names:
        told = f"nothing but nulls in {', '.join(empty)}" if empty else "no column"
        raise BadInput(f"The features {function} return {told}; return at least one value for each column.")
    return pa.table(columns)


def _check_target(rows: pa.Table, subject: Subject) -> None:
    if subject.target not in rows.column_names:
        raise BadInput(
            f"The target column {subject.target!r} is not in the data; its columns are {', '.join(rows.column_names)}. "
            "Correct `target` in the recipe, or the file."
        )
    if rows.num_rows < subject.min_rows:
        raise BadInput(
            f"The table has {rows.num_rows} usable rows; a release needs at least {subject.min_rows} "
            "to be trained and tested. Add rows, or look into what was quarantined."
        )
    target = rows[subject.target]
    if target.null_count:
        first = pc.indices_nonzero(pc.is_null(target)).to_pylist()[:SOME]
        raise BadInput(
            f"The target column {subject.target!r} is empty in {target.null_count} of {rows.num_rows} rows (first: "
            f"rows {', '.join(map(str, first))}); remove them, or let the contract say `nullable: false`."
        )
    _check_classes(target, subject)


def _check_classes(target: pa.ChunkedArray, subject: Subject) -> None:
    if subject.task == "regression":
        if kind_of(subject.target, target.type) != "number":
            raise BadInput(f"The target column {subject.target!r} holds {target.type}; a regression needs numbers.")
        return
    classes = pc.unique(target).to_pylist()
    shown = ", ".join(repr(label) for label in classes[:SOME])
    if len(classes) < 2:
        raise BadInput(
            f"The target column {subject.target!r} has one class only ({shown}); a classifier needs rows of two."
        )
    if subject.task == "binary" and len(classes) > 2:
        raise BadInput(
            f"The target column {subject.target!r} has {len(classes)} classes ({shown}, ...) where `task: binary` "
            "takes two; use `task: multiclass`, or regression for an amount."
        )
    if len(classes) > MOST_CLASSES:
        raise BadInput(
            f"The target column {subject.target!r} has {len(classes)} different values ({shown}, ...); "
            f"more than {MOST_CLASSES} are no classes. Use `task: regression`, or another target."
        )
    if subject.positive is not None and subject.positive not in classes:
        raise BadInput(f"`positive: {subject.positive!r}` is not among the classes of {subject.target!r}: {shown}.")


def _check_columns(rows: pa.Table, kept: list[str], drop: tuple[str, ...], subject: Subject) -> None:
    unknown = [column for column in (*drop, *subject.carried) if column not in rows.column_names]
    if unknown:
        raise BadInput(
            f"The recipe names the columns {', '.join(unknown)}, which are not in the data; correct the recipe."
        )
    if not kept:
        raise BadInput("No column is left to learn from after `drop`; keep at least one beside the target.")
    empty = [column for column in kept if rows[column].null_count == rows.num_rows]
    if empty:
        raise BadInput(
            f"The columns {', '.join(empty)} hold no value in any of the {rows.num_rows} rows; "
            "list them under `drop` in the recipe, or mend the source."
        )
