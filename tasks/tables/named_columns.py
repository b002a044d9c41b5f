"""The columns that a recipe names, held against its contract before anything is started."""

import difflib
from collections.abc import Iterable, Iterator

from tasks.errors import BadInput
from tasks.sources.contracts import Contract
from tasks.tables.specs import Minimum, TabularRecipe


def check_named(release: str, named: Iterable[tuple[str, str]], contract: Contract) -> None:
    """BadInput for the first column that the data will not have; names the field and the nearest column."""
    for field, column in named:
        if column not in contract.columns:
            near = difflib.get_close_matches(column, contract.columns, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"its columns are: {', '.join(contract.columns)}."
            raise BadInput(f"The recipe of {release}: `{field}` names {column!r}, not a column of the data; {known}")


def named(recipe: TabularRecipe) -> Iterator[tuple[str, str]]:
    """Each field with a column that it names."""
    yield "target", recipe.target
    yield from (("drop", column) for column in recipe.drop)
    yield from (("slices", column) for column in recipe.slices)
    if recipe.split.column:
        yield "split.column", recipe.split.column
    for test in recipe.behaviour:
        columns = list(test.row) if isinstance(test, Minimum) else [test.column]
        yield from (("behaviour", column) for column in columns)
