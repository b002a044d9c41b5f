"""`why` and `impact` from end to end: from an answer to its data and back, with every server up, and with none."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from bentos.kit.traces import Exporter, RequestIds
from flows import console, lineage
from tasks import settings
from tasks.errors import BadInput, NotFound
from tasks.registry import ledger
from tasks.registry.aliases import Registry
from tasks.watching.assessments import trace_number
from tasks.watching.compaction import compact
from tasks.watching.log import Record, Writer, folder
from tasks.watching.shipping import ship_left
from tests.flows.conftest import House, loans, spoilt
from tests.flows.papers import Shelf
from tests.flows.test_documents import house as library  # noqa: F401 - a fixture
from tests.flows.test_documents import ready  # noqa: F401 - a fixture

pytestmark = pytest.mark.timeout(180)


def log(name: str, *found: Record) -> None:
    writer = Writer(folder(settings.load().root, name), "replica-1")
    writer.write(found)
    writer.close()


def answer(house: House, request: str) -> None:
    row = loans(1, seed=5)[["trade", "age", "income", "debt"]].to_dict("records")[0]
    assert house.champion is not None
    (said,) = house.predictor(house.champion).predict([row])
    told = {"version": str(house.champion), "path": "/predict", "caller": "shop", "tenant": "north"}
    log(house.name, Record("prediction", request, house.name, inputs=row, output=said, **told))  # type: ignore[arg-type]


def traced(url: str, release: str, tenant: str, request: str) -> None:
    """A span as services send it."""
    ids = RequestIds()
    ids.ready = trace_number(tenant, request)
    provider = TracerProvider(id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Exporter(url, release)))
    provider.get_tracer("penstock").start_span("ask").end()
    provider.shutdown()


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def grown(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """`one` was answered by version 1, `two` by 2; version 3 is champion now."""
    monkeypatch.setenv("PREFECT_API_URL", house.prefect)
    monkeypatch.setattr(console.out, "width", 400)
    for place, request in enumerate(("one", "two", "three")):
        house.give(pd.concat([spoilt(loans()), loans(600 * place, seed=1)], ignore_index=True))
        assert house.train().state == "promoted"
        answer(house, request)
    store, root = house.store, settings.load().root
    ship_left(store, root, house.name)
    compact(store, house.name)
    return house


def test_a_request_answered_two_promotions_ago(
    grown: House, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, mine = settings.load(), grown.versions[0]
    (now.root / "bentoml" / "bentos" / grown.name / "v1-0a1b2c3d").mkdir(parents=True)
    monkeypatch.setenv("BENTOML_HOME", str(now.root / "bentoml"))
    with Registry(grown.mlflow) as registry:
        registry.set_tag(grown.name, 1, "bento.tag", f"{grown.name}:v1-elsewhere")
    traced(grown.mlflow, grown.name, "north", "one")
    capsys.readouterr()

    lineage.why("one", None, True, now)
    told = said(capsys)
    (release,) = told["releases"]
    (version,) = release["versions"]
    assert told["not_asked"] == [] and [one["caller"] for one in release["records"]] == ["shop"]
    assert version["data_digest"] == grown.snapshots[0].digest == mine.tags["data.digest"]
    assert version["git_commit"] == mine.tags.get("git.commit", "") and version["code_digest"]
    assert version["bentos"] == [f"{grown.name}:v1-0a1b2c3d", f"{grown.name}:v1-elsewhere"]
    assert version["mlflow_run"] == f"{grown.mlflow}/#/runs/{mine.run_id}" and version["prefect_state"]
    assert version["prefect_run"].endswith(f"/runs/flow-run/{mine.tags['prefect.flow_run_id']}")
    (trace,) = release["traces"].values()
    assert trace and "/traces/tr-" in trace
    (reign,) = version["reigns"]
    moves = [one for one in ledger.entries(grown.store, grown.name) if one.alias == "champion"]
    assert (reign["since"], reign["until"]) == (moves[0].when, moves[1].when) and reign["verdict"] == version["verdict"]

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    lineage.why("one", grown.name, False, settings.load())
    text = capsys.readouterr().out
    assert mine.tags["data.digest"] in text and "a champion of before" in text and "does not answer" in text
    assert trace not in text


def test_the_way_back_finds_the_request(grown: House, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer(grown, "four")  # not compacted yet
    capsys.readouterr()
    lineage.impact("loans@1", None, tmp_path / "ids", True, settings.load())
    (made,) = said(capsys)["made"]
    assert (made["origin"]["version"], made["answers"], made["examples"]) == (1, 1, ["one"])
    assert (tmp_path / "ids").read_text() == f"{grown.name}\t1\tone\n"
    lineage.impact("loans@3", None, None, False, settings.load())
    text = capsys.readouterr().out
    assert all(word in text for word in ("the champion", "three", "four", "to now"))


def test_what_is_not_there_is_said(house: House) -> None:
    now = settings.load()
    with pytest.raises(NotFound, match="There is no log of nobody; there are logs of: none"):
        lineage.why("one", "nobody", False, now)
    log(house.name, Record("prediction", "one", house.name, "1"))
    with pytest.raises(NotFound, match=f"No log has the request 'two'; looked at: {house.name}"):
        lineage.why("two", None, False, now)
    for wrong in ("loans", "loans@0", "loans@x", "@1", "../x@1"):
        with pytest.raises(BadInput, match="names no snapshot"):
            lineage.impact(wrong, None, None, False, now)
    with pytest.raises(NotFound, match="There is no snapshot loans@1"):
        lineage.impact("loans@1", None, None, False, now)


def test_a_document_leads_to_the_answers_that_cite_it(
    library: Shelf,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert library.train().state == "promoted"
    library.edit("lending", "twenty-eight days", "thirty-five days")
    assert library.train().champion == 2
    cited = [["lending.md"], ["lending.md", "rooms.md"], ["rooms.md"]]
    for version in ("1", "2"):
        told = [
            Record(
                "prediction", f"{version}-{number}", library.name, version, output={"answered": True, "documents": one}
            )
            for number, one in enumerate(cited)
        ]
        log(library.name, *told)
    capsys.readouterr()
    lineage.impact("papers@1", "lending.md", tmp_path / "ids", True, settings.load())
    found = said(capsys)
    (made,) = found["made"]  # the other revision is in version 2
    assert (made["origin"]["version"], made["answers"], made["cited"]) == (1, 3, 2)
    assert made["examples"] == ["1-0", "1-1"] and found["same"] == []
    lineage.impact("papers@2", "archive.pdf", None, True, settings.load())
    found = said(capsys)
    assert [one["origin"]["version"] for one in found["made"]] == [1, 2] and found["same"] == ["papers@1"]
    assert [one["cited"] for one in found["made"]] == [0, 0]
    with pytest.raises(NotFound, match=r"papers@1 holds no document 'x\.md'; it holds: "):
        lineage.impact("papers@1", "x.md", None, False, settings.load())
