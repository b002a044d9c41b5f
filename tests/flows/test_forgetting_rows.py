"""A person is forgotten: out of the tables, the versions made of them, the log, and what was cached."""

import re
from dataclasses import replace
from itertools import islice

import pandas as pd
import pyarrow.parquet as pq
import pytest

from flows import console, forgetting_log
from flows.forgetting_rows import forget
from tasks import settings
from tasks.artifacts import opened
from tasks.errors import BadInput, Refused
from tasks.registry import history, ledger
from tasks.registry.aliases import Registry
from tasks.registry.rest import served
from tasks.watching import subjects
from tasks.watching.parts import parts
from tasks.watching.subjects import Person
from tests.flows.conftest import CONTRACT, House, loans, spoilt
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


def test_a_person_is_gone_from_tables_versions_and_log(
    first: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert {name.partition("/")[0] for name in with_anna(first)} >= {"tables", "checked", "features"}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(forgetting_log, "clear", interrupted)  # killed with the version withdrawn
        forget(first.name, str(ANNA), "customer", "", now)
    assert first.champion == 2 and history.forgotten(ledger.entries(first.store, first.name)) == {1}
    person = Person(dataset="loans", column="customer", value=str(ANNA))
    for steps in range(1, 2 + len(subjects.DERIVED)):  # and in the middle of the removal
        with opened(first.store.root) as store:
            assert len(list(islice(subjects.remove(store, person, subjects.traces(store, person)), steps))) == steps
    capsys.readouterr()
    assert forget(first.name, str(ANNA), "customer", "asked for by letter", now) == 0
    told = capsys.readouterr().out
    assert "Proof: " in told and "NOT forgotten" not in told
    assert first.champion == 2 and first.faults() == [] and with_anna(first) == []
    assert [(part.rows, part.forgotten) for part in parts(first.store, first.name)] == [(2, 2)]
    with Registry(first.mlflow) as registry:
        run = registry.call("GET", "runs/get", {"run_id": first.versions[0].run_id})["run"]
        (model,) = [one["model_id"] for one in run["outputs"]["model_outputs"]]
        there = registry.call("GET", f"logged-models/{model}", {})["model"]["info"]["artifact_uri"]
        assert registry.http.get(f"{served(there)}/input_example.json").status_code == 404
        assert not registry.call("GET", "artifacts/list", {"run_id": first.versions[0].run_id}).get("files")

    assert first.train().state == "champion" and len(first.versions) == 2
    assert forget(first.name, str(ANNA), "customer", "", now) == 0 and len(first.versions) == 2


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def with_anna(house: House) -> list[str]:
    """What the store has of her: tables by any column, other files by their bytes; another number that begins like
    hers is not hers."""
    found = []
    for path in sorted(path for path in house.store.root.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            told = any(
                str(value) in (str(ANNA), f"{ANNA}.0") for column in table.columns for value in column.to_pylist()
            )
        else:
            told = re.search(rf"(?<!\d){ANNA}(?!\d)".encode(), path.read_bytes()) is not None
        found += [path.relative_to(house.store.root).as_posix()] if told else []
    return found
