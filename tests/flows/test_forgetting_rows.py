"""A person is forgotten: out of the tables, the versions made of them, the log, and what was cached."""

from dataclasses import replace
from pathlib import Path

import httpx
import pandas as pd
import pytest

from flows import console
from flows.forgetting_rows import forget
from tasks import settings
from tasks.artifacts import opened
from tasks.errors import BadInput, Refused
from tasks.registry import history, ledger
from tasks.watching import subjects
from tasks.watching.parts import parts
from tasks.watching.subjects import Person
from tests.flows.conftest import CONTRACT, House, loans, spoilt
from tests.flows.test_forgetting import holding
from tests.flows.test_lineage import log
from tests.watching.logged import prediction

pytestmark = pytest.mark.timeout(180)

ANNA, FIRST = 870_200_043, 870_200_000


def customers(rows: int = 1500) -> pd.DataFrame:
    """A row for each customer, and some twice."""
    table = loans(rows)
    return spoilt(table.assign(customer=range(FIRST, FIRST + rows)))


@pytest.fixture
def first(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Version 1 is champion, made of Anna's row and others."""
    monkeypatch.setenv("PREFECT_API_URL", house.prefect)
    monkeypatch.setattr(console.out, "width", 400)
    columns = CONTRACT["columns"] | {"customer": {"dtype": "Int64"}}  # type: ignore[operator]
    house.write("contracts", CONTRACT | {"columns": columns})
    house.give(customers())
    assert house.train().state == "promoted"
    return house


def without(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["customer"] != ANNA]


def test_a_person_is_gone_from_tables_versions_and_log(first: House, capsys: pytest.CaptureFixture[str]) -> None:
    asked, now = prediction(1, release=first.name, inputs={"customer": ANNA}), settings.load()
    log(first.name, asked, replace(asked, kind="feedback", inputs=None, label=1), replace(asked, row=1, inputs={}))
    log(first.name, prediction(2, release=first.name, inputs={"customer": ANNA * 10 + 1}))
    for wrong, told in (("client", "no column 'client'"), (None, "names no `group` column")):
        with pytest.raises(BadInput, match=told):
            forget(first.name, str(ANNA), wrong, "", now)
    with pytest.raises(Refused, match="still has 1 rows with this customer"):
        forget(first.name, str(ANNA), "customer", "", now)
    assert first.actions == ["stage", "promote"]

    first.give(without(customers()))
    capsys.readouterr()
    assert forget(first.name, str(ANNA), "customer", "asked for by letter", now) == 0
    told = capsys.readouterr().out
    assert "Proof: " in told and "NOT forgotten" not in told
    assert first.champion == 2 and first.faults() == []
    entries = ledger.entries(first.store, first.name)
    assert history.forgotten(entries) == {1} and entries[-1].note == "forget a person by customer: asked for by letter"
    with opened(first.store.root) as store:
        assert subjects.traces(store, Person(dataset="loans", column="customer", value=str(ANNA))).tables == frozenset()
    assert [(sum(part.rows for part in parts(first.store, first.name)))] == [2]
    assert not [name for name in holding(first.store.root, str(ANNA)) if str(ANNA * 10 + 1) not in text(first, name)]
    run = {"run_id": first.versions[0].run_id}
    with httpx.Client(base_url=first.mlflow, trust_env=False) as http:
        assert not http.get("/api/2.0/mlflow/artifacts/list", params=run).json().get("files")

    assert first.train().state == "champion" and len(first.versions) == 2
    assert forget(first.name, str(ANNA), "customer", "", now) == 0 and len(first.versions) == 2


def text(house: House, name: str) -> str:
    return Path(house.store.root / name).read_bytes().decode(errors="replace")
