from pathlib import Path

import pyarrow as pa
import pytest

from tasks.artifacts import Store
from tasks.sources.frames import put_table
from tasks.watching import reports
from tests.tables.conftest import houses


def test_a_large_table_is_sampled_always_alike_and_in_order() -> None:
    table = pa.table({"number": range(reports.MOST + 10_000)})
    rows = reports.sampled(table)["number"].to_pylist()
    assert len(rows) == reports.MOST and rows == sorted(set(rows)) and rows[-1] > reports.MOST
    assert rows == reports.sampled(table)["number"].to_pylist()
    assert reports.sampled(rows := table.slice(0, 10)) is rows


def test_columns_become_numbers_or_a_few_levels() -> None:
    table = houses(600).append_column("void", pa.nulls(600, pa.float64()))
    seen = reports.shown(table)
    assert seen.select(["size", "rooms"]).equals(table.select(["size", "rooms"]))
    assert seen["town"].equals(table["town"]) and set(seen["new"].to_pylist()) == {"true", "false"}
    assert {len(year) for year in seen["built"].to_pylist()} == {4, len(reports.REST)}
    ids = seen["id"].to_pylist()
    assert ids[: reports.FEW] == table["id"].to_pylist()[: reports.FEW]
    assert set(ids[reports.FEW :]) == {reports.REST}
    assert seen["void"].to_pylist() == [None] * 600


@pytest.mark.slow  # importing Evidently takes 7 to 20 seconds
@pytest.mark.timeout(300)
def test_the_page_of_a_snapshot_has_every_column_and_is_written_whole(store: Store, tmp_path: Path) -> None:
    table = houses(2000).append_column("void", pa.nulls(2000, pa.float64()))
    path = tmp_path / "reports" / "houses.html"
    reports.summary(put_table("tables", table), path)
    page = path.read_text(encoding="utf-8")
    assert [name for name in table.column_names if f'"header": "{name}"' not in page] == []
    assert [one.name for one in path.parent.iterdir()] == ["houses.html"]
    # self-contained: nothing is fetched when the page is opened
    assert "<script src=" not in page and "<link " not in page
