"""The contract held against a table: rows that break it are quarantined with a reason, a table that breaks it stops."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from tasks.artifacts import Artifact
from tasks.errors import BadInput
from tasks.sources.contracts import Contract, dump
from tasks.sources.frames import put_table, read_table
from tasks.sources.values import parse

SHOWN = 12
PANDAS = {
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): pd.StringDtype("pyarrow"),
}


class Cause(BaseModel, frozen=True):
    """One rule of a column that rows broke: how many, and a value that did."""

    column: str
    check: str
    rows: int
    example: str


class Checked(BaseModel, frozen=True):
    """The rows that keep the contract, in its types, and the others as they were read, with a column `reason`."""

    good: Artifact
    quarantined: Artifact | None
    rows: int
    bad_rows: int
    causes: tuple[Cause, ...]


def check(table: Artifact, contract: Contract) -> Checked:
    """Types first, then pandera's checks; BadInput where columns are wrong, or too many rows."""
    read = read_table(table)
    _check_names(read.column_names, contract)
    typed, found = _typed(read, contract)
    _check_nulls(typed, contract)
    found = pd.concat([found, _broken(typed, contract, set(found["index"]))], ignore_index=True)
    causes = _causes(found)
    bad = np.zeros(read.num_rows, dtype=bool)
    bad[found["index"].to_numpy(dtype=np.int64)] = True
    share = bad.mean() if len(bad) else 0.0
    if share > contract.max_quarantine:
        raise BadInput(
            f"{int(bad.sum())} of {len(bad)} rows ({share:.1%}) break the contract, which allows "
            f"{contract.max_quarantine:.1%}; mend the source, or the contract. Causes:\n{_shown(causes)}"
        )
    return Checked(
        good=put_table("checked", typed.filter(pa.array(~bad))),
        quarantined=_quarantine(read, found, bad) if bad.any() else None,
        rows=read.num_rows,
        bad_rows=int(bad.sum()),
        causes=causes,
    )


def _check_names(names: list[str], contract: Contract) -> None:
    missing = [name for name in contract.columns if name not in names]
    extra = [name for name in names if name not in contract.columns] if contract.strict else []
    if missing or extra:
        told = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(extra)} beyond it"] * bool(extra)
        raise BadInput(
            f"The table's columns are not the contract's: it {' and '.join(told)}. Is it the right file and separator? "
            "Correct the file, or the contract's columns."
        )


def _typed(read: pa.Table, contract: Contract) -> tuple[pa.Table, pd.DataFrame]:
    """The contract's columns in its types (null where a value does not fit), and the values that do not fit."""
    columns, misfits = {}, [_cases([], [], [], [])]
    for name, column in contract.columns.items():
        columns[name], misfit = parse(read[name], column.dtype)
        if places := pc.indices_nonzero(misfit).to_pylist():
            examples = read[name].take(pa.array(places)).to_pylist()
            misfits.append(_cases([name], [f"is a {column.dtype}"], examples, places))
    return pa.table(columns), pd.concat(misfits, ignore_index=True)


def _cases(column: list[str], rule: list[str], examples: list[Any], places: list[int]) -> pd.DataFrame:
    many = len(places)
    texts = [str(example) for example in examples]
    return pd.DataFrame(
        {"column": column * many, "check": rule * many, "example": texts, "index": pd.Series(places, dtype="int64")}
    )


def _check_nulls(typed: pa.Table, contract: Contract) -> None:
    rows = max(typed.num_rows, 1)
    for name, column in contract.columns.items():
        share = typed[name].null_count / rows
        if column.null_share is not None and share > column.null_share:
            raise BadInput(
                f"The column {name} is empty in {typed[name].null_count} of {rows} rows ({share:.1%}); the contract "
                f"allows {column.null_share:.1%}. Mend the source, or raise the column's null_share."
            )


def _broken(typed: pa.Table, contract: Contract, misfits: set[int]) -> pd.DataFrame:
    """What pandera finds in the rows whose values all have their types, one row per broken rule."""
    import pandera.pandas as pandera

    schema = pandera.DataFrameSchema.from_yaml(dump(contract))
    for name, column in contract.columns.items():
        schema.columns[name].report_duplicates = "exclude_first"
        if column.dtype == "date":
            schema.columns[name].dtype = None  # parsed already, and nanoseconds would end in the year 2262
    schema.report_duplicates = "exclude_first"
    frame = typed.to_pandas(types_mapper=PANDAS.get, date_as_object=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandera's own use of pandas
            schema.validate(frame.drop(index=list(misfits)), lazy=True)
    except pandera.errors.SchemaErrors as error:
        return _failures(error.failure_cases)
    return _cases([], [], [], [])


def _failures(cases: pd.DataFrame) -> pd.DataFrame:
    whole = cases[cases["index"].isna()]
    if len(whole):
        told = "; ".join(f"{row.column}: {row.check} ({row.failure_case})" for row in whole.head(SHOWN).itertuples())
        raise BadInput(f"The table as a whole breaks its contract: {told}. Correct the file, or the contract.")
    return pd.DataFrame(
        {
            "column": cases["column"].astype(str),
            "check": cases["check"]
            .astype(str)
            .replace({"not_nullable": "is not empty", "field_uniqueness": "is unique"}),
            "example": cases["failure_case"].astype(str).fillna("nothing"),
            "index": cases["index"].astype("int64"),
        }
    )


def _causes(found: pd.DataFrame) -> tuple[Cause, ...]:
    groups = found.groupby(["column", "check"], sort=True)
    summed = groups.agg(rows=("index", "nunique"), example=("example", "first")).reset_index()
    ranked = summed.sort_values("rows", ascending=False, kind="stable")
    return tuple(Cause.model_validate(row) for row in ranked.to_dict("records"))


def _shown(causes: tuple[Cause, ...]) -> str:
    lines = [
        f"  {cause.column}: {cause.check} fails in {cause.rows} rows, e.g. {cause.example}" for cause in causes[:SHOWN]
    ]
    return "\n".join(lines + [f"  and {len(causes) - SHOWN} more"] * (len(causes) > SHOWN))


def _quarantine(read: pa.Table, found: pd.DataFrame, bad: NDArray[np.bool_]) -> Artifact:
    told = found["column"] + ": " + found["check"] + ", got " + found["example"]
    reasons = told.groupby(found["index"], sort=True).agg("; ".join)
    return put_table("quarantine", read.filter(pa.array(bad)).append_column("reason", pa.array(reasons.tolist())))
