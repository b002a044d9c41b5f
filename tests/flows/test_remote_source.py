"""A dataset behind a query: the second run finds all done, and an answer that has become old is asked for again."""

import pandas as pd
import pytest
import sqlalchemy

from tests.flows.conftest import House, loans

pytestmark = pytest.mark.timeout(120)


def fill(url: str, table: pd.DataFrame) -> None:
    engine = sqlalchemy.create_engine(url)
    table.to_sql("loans", engine, if_exists="replace", index=False)
    engine.dispose()


def test_a_query_counts_as_unchanged_until_it_is_old(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{house.project}/loans.sqlite"
    fill(url, loans())
    source = {"type": "sql", "url": url, "query": "SELECT * FROM loans"}
    house.write("datasets", {"title": "Loans", "licence": "CC0-1.0", "source": source, "time": "quarter"})
    assert [line.state for line in house.plan()] == ["runs"]
    house.train()
    assert {line.state for line in house.plan()} == {"cached"}

    fill(url, loans(1600))
    assert {line.state for line in house.plan()} == {"cached"}
    monkeypatch.setenv("PENSTOCK_REMOTE_AGE", "0")
    for _ in range(2):
        line = house.plan()[0]
        assert (line.step, line.state) == ("source", "runs")
    house.train()
    assert [one.rows for one in house.snapshots] == [1500, 1600]
