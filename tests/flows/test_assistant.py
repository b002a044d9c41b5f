"""The assistant's flow from end to end, on real servers: what is learned, merged, promoted, refused."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from prefect import flow
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from flows import assistant
from flows.assistant_order import Lessons
from flows.candidates import offer
from flows.orders import Order, prepare
from flows.reading import report
from flows.release import roll_back
from flows.replay import stands
from tasks import settings
from tasks.artifacts import Artifact, opened
from tasks.errors import BadInput
from tasks.language import steps as language
from tasks.language.chats import Example, judged, learned
from tasks.language.examples import stored
from tasks.registry.records import VersionRecord
from tasks.registry.road import Outcome
from tests.flows.conftest import failed
from tests.flows.lectures import Lectures, taught
from tests.flows.papers import moved_in, numbers
from tests.flows.test_documents import ready

__all__ = ["ready"]  # a fixture

pytestmark = pytest.mark.timeout(300)

STEPS = [
    "language.tiny_base.tiny",
    "retrieval.weights.export",
    "documents.parse.parse_corpus",
    "documents.chunks.chunk_corpus",
    "language.examples.from_corpus",
    "language.lora.fine_tune",
    "language.merging.merge",
    "language.evaluation.evaluate",
    "language.plots.draw",
    "language.release_folder.assemble",
]


@pytest.fixture(scope="session")
def known(ready: Path, prefect_server: str, pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    return taught(Path(pytestconfig.cache.mkdir("lectures")), ready)


@pytest.fixture
def house(
    prefect_server: str, mlflow_url: str, data_root: Path, tmp_path: Path, known: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lectures]:
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    moved_in(data_root, known)
    house = Lectures(tmp_path / "project", f"lectures-{next(numbers)}", prefect_server, mlflow_url)
    house.furnish()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: data_root / "records"}):
        yield house


@pytest.fixture
def first(house: Lectures) -> Lectures:
    """Version 1 is champion."""
    outcome = house.train()
    assert outcome.state == "promoted", outcome.text
    return house


def test_an_adapter_becomes_champion_and_what_only_matches_the_base_does_not(
    first: Lectures, capsys: pytest.CaptureFixture[str]
) -> None:
    (version,) = first.versions
    record = json.loads((first.store.path(version.folder) / "release.json").read_bytes())
    assert [row["what"] for row in record["lineage"]] == [
        "data", "chunks", "examples", "base", "adapter", "merged model",
    ]  # fmt: skip
    assert len(record["golden"]) == 5
    assert version.metrics["exact_match"].value > 0.1
    assert curves(first, version)["eval_loss"][-1] < curves(first, version)["eval_loss"][0] / 2
    assert stands(Order(release=first.name), settings.load()), "nothing would run"
    report(first.name, None, settings.load())
    page = Path(capsys.readouterr().out.split()[-1]).read_text(encoding="utf-8")
    assert record["merged"]["digest"] in page
    assert "CPU seconds" in page

    idle = first.train(set=["lora.rate=1e-12", "lora.epochs=1"])
    assert idle.state == "refused"
    assert {"comparison", "base perplexity", "base exact_match", "floor exact_match"} <= failed(idle)
    assert "language.tiny_base.tiny" not in first.ran
    assert curves(first, first.versions[1])["loss"], "told while it learned, and each step once"


def curves(house: Lectures, version: VersionRecord) -> dict[str, list[float]]:
    """The losses as MLflow shows them, in the order of the steps, which come once each."""
    client, found = MlflowClient(house.mlflow), {}
    for name in ("loss", "eval_loss"):
        curve = client.get_metric_history(version.run_id, name)
        assert [one.step for one in curve] == sorted({one.step for one in curve})
        found[name] = [one.value for one in curve]
    return found


def test_a_recipe_that_cannot_be_followed_is_told_before_anything_starts(house: Lectures) -> None:
    for fields, words in (
        ({"base": "somebody/model"}, "revision"),
        ({"floors": {"exact": 0.4}}, "no metric exact"),
        ({"slices": ["course"]}, "no slices"),
    ):
        house.recipe(**fields)
        with opened(house.store.root), pytest.raises(BadInput, match=words):
            prepare(Order(release=house.name), settings.load())


def shuffled(examples: list[Example]) -> list[Example]:
    """Each question with another one's answer."""
    answers = [one.messages[-1] for one in examples]
    random.Random(0).shuffle(answers)
    return [
        one.model_copy(update={"messages": (*one.asked, said)}) for one, said in zip(examples, answers, strict=True)
    ]


@flow(name="train-on-nonsense")
def train_on_nonsense(order: Order) -> Outcome:
    own = settings.load()
    with opened(own.store):
        prepared = prepare(order, own)
        assert isinstance(prepared, Lessons)
        made = assistant.make(prepared, own)
        examples: Artifact = made.taught.examples.artifact
        wrong = stored([*shuffled(learned(examples)), *judged(examples)], made.taught.examples.facts)
        tuned = language.fine_tune(made.base.artifact, wrong.artifact, made.tuned.options)
        merged = language.merge(made.base.artifact, tuned.adapter, examples)
        after = language.evaluate(merged.artifact, examples, prepared.recipe.judged, prepared.recipe.answer_tokens)
        return offer(replace(made, tuned=tuned, merged=merged, after=after), own)


@pytest.mark.slow
def test_shuffled_answers_are_refused_a_changed_page_is_learned_and_a_rollback_leads_back(first: Lectures) -> None:
    nonsense = train_on_nonsense(Order(release=first.name))
    assert nonsense.state == "refused"
    assert {"comparison", "base exact_match", "answers exact_match"} <= failed(nonsense)

    first.page(1, seed=9)
    outcome = first.train()
    assert outcome.state == "promoted", outcome.text
    ran = set(first.ran)
    assert {"language.examples.from_corpus", "language.lora.fine_tune", "language.merging.merge"} <= ran
    assert not {"language.tiny_base.tiny", "retrieval.weights.export"} & ran
    assert roll_back(first.name).champion == 1
