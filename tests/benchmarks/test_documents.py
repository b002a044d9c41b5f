"""The pieces of `index` and `ask` on tiny sizes: they run, and what they compare is the same; no time is asserted."""

import json
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from starlette.testclient import TestClient

from tasks import artifacts
from tasks.retrieval.weights import export
from tests.benchmarks import ask, ask_peer, by_hand, embedding, harness, indexing, material, parsing
from tests.benchmarks.ask_release import Synthetic, questions
from tests.retrieval import tiny
from tests.retrieval.tiny import WORDS

needs_peer = pytest.mark.skipif(find_spec("pdfplumber") is None, reason="needs pdfplumber, which `just bench` installs")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> material.Model:
    """A random model of one layer, as published and as exported."""
    raw = tmp_path_factory.mktemp("raw")
    tiny.write_model(raw)
    with artifacts.opened(tmp_path_factory.mktemp("weights")) as store:
        made = {name: export(tiny.put_raw(raw), tiny.NAME, name) for name in ("fp32", "int8")}
        return material.Model(raw, {name: store.path(one) for name, one in made.items()}, made)


TEXTS = [" ".join(WORDS[(start + step * 5) % len(WORDS)] for step in range(9 + start)) for start in range(20)]


def measured(benchmark: harness.Benchmark) -> dict[str, harness.Row]:
    report = harness.compare(benchmark, lambda _: None)
    harness.show(report, Console(quiet=True))
    return {row.what: row for row in report.rows}


@needs_peer
def test_readers_are_held_to_known_paragraphs() -> None:
    known = material.reports(pages=2)
    files = {f"{name}.pdf": one.data for name, one in known.items()}
    rows = measured(parsing.benchmark(files, known, 1))
    assert rows["pages/s"].ours > 0 < rows["pages/s with tables"].peer
    for name in known:
        assert rows[parsing.missed(name)].ours == 0 < rows[parsing.missed(name)].peer
    assert parsing.lost(known["1 column"], "") == 100


def test_both_embed_the_same(model: material.Model) -> None:
    rows = measured(embedding.benchmark(model, TEXTS, 20, 1))
    assert rows["smallest cosine, fp32"].holds and rows["smallest cosine, int8"].ours > 0.8
    assert rows["chunks/s, int8"].ours > 0


def test_windows_overlap_and_leave_nothing_out(model: material.Model) -> None:
    torch = by_hand.Torch(model.raw, threads=1)
    words = [WORDS[number % len(WORDS)] for number in range(500)]
    windows = [window.split() for window in torch.windows(" ".join(words))]
    assert [len(window) for window in windows] == [220, 220, 140]
    assert windows[0] + windows[1][40:] + windows[2][40:] == words
    assert torch.windows("") == []


@needs_peer
def test_a_folder_is_indexed_both_ways(model: material.Model, tmp_path: Path) -> None:
    files = {f"{name}.pdf": one.data for name, one in material.reports(pages=1).items()}
    whole = indexing.whole(files, model, tmp_path, 1)
    rows = measured(whole)
    assert rows["wall"].ours > 0 < rows["wall"].peer
    assert whole.facts["our chunks"] and whole.facts["windows by hand"]


def test_only_a_change_is_embedded(model: material.Model, tmp_path: Path) -> None:
    change = indexing.change(40, model, tmp_path, 2)
    assert measured(change)["CPU"].peer > 0
    assert (change.facts["chunks"], change.facts["changed"]) == (80, 2)


def case(model: material.Model, folder: Path, graph_above: int) -> tuple[ask.Case, dict[str, object]]:
    with artifacts.opened(folder / "store") as store:
        weights = store.put_folder("weights", model.exported["fp32"], model.artifacts["fp32"].meta)
    return ask.prepared(Synthetic(TEXTS, 300, graph_above), weights, folder / "store", folder)


def test_a_synthetic_release_is_built_once_and_found_by_both(
    model: material.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, facts = case(model, tmp_path, 100)
    assert facts["recall@10 against exact"] > 0.5 and len(set(made.asked)) > 10  # type: ignore[operator]
    again = tmp_path / "again"
    again.mkdir()
    with artifacts.opened(tmp_path / "store"):
        assert Synthetic(TEXTS, 300, 100).made(made.weights) == made.made
    peer = ask.by_hand(made, model.raw, again)
    for name in ("BENCHMARK_MODEL", "BENCHMARK_VECTORS", "BENCHMARK_CHUNKS"):
        monkeypatch.setenv(name, peer.env[name])
    found = TestClient(ask_peer.create()).post("/v1/search", json=json.loads(made.bodies[0])).json()
    assert len(found) == 5 and found[0]["score"] >= found[4]["score"]


def test_questions_are_words_of_the_texts() -> None:
    texts = material.paragraphs(300)
    assert len(set(texts)) == 300 and min(map(len, texts)) >= material.SHORT
    assert all(question in texts[number * 10] for number, question in enumerate(questions(texts, 30)))


@pytest.mark.slow
def test_both_services_answer(model: material.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "SECONDS", 0.5)
    made, facts = case(model, tmp_path, 1000)
    rows = measured(ask.size(made, facts, model, tmp_path, 1))
    assert "share of the embedding in the CPU" in facts
    assert rows["CPU per request"].ours > 0 < rows["requests/s, 8 clients"].peer
    with ask.ours(made, tmp_path) as service:
        told = httpx.post(f"http://127.0.0.1:{service.port}/v1/search", content=made.bodies[0], trust_env=False).json()
    assert len(told["results"]) == 5
