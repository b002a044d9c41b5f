"""A release folder becomes a service that answers, and what is wrong with one is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput, NotFound, Unavailable
from tasks.retrieval import server
from tasks.retrieval.answers import Ask
from tasks.retrieval.building import build
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.opening import Server
from tasks.retrieval.prompts import Prompt, write_prompt
from tasks.retrieval.served import Served
from tasks.retrieval.vectors import embed_chunks
from tests.retrieval import tiny

TEXTS = {"a.md": "Amak borish calov dunen. Elak fosish.", "b.md": "Borov calen dunish elov.", "c.md": "Fosak amen."}


@pytest.fixture
def folder(tiny_weights: Artifact, store: Store, tmp_path: Path) -> Path:
    made = [tiny.chunk(number, text, document=name) for number, (name, text) in enumerate(TEXTS.items())]
    chunks = tiny.put_chunks(made)
    index = build(chunks, embed_chunks(chunks, tiny_weights))
    write(
        tmp_path,
        {"release": "papers", "index": index.model_dump(), "weights": tiny_weights.model_dump(), "threshold": 0.5},
    )
    write_prompt(tmp_path, Prompt())
    return tmp_path


def write(folder: Path, facts: dict[str, Any]) -> None:
    (folder / "release.json").write_text(json.dumps(facts))


def test_a_release_answers_golden_requests_searches_and_refuses(folder: Path, store: Store) -> None:
    served = Served.load(folder, store.path)
    assert served.answer({"question": "Amak borish calov?"})["documents"][0] == "a.md"
    assert served.answer({"messages": [{"role": "user", "content": "Amak borish calov?"}]})["answered"] is True
    found = served.ask(Ask(question="Amak borish calov?"))
    assert "Amak borish calov dunen. [1]" in found.answer
    assert served.search("borov calen", 1)[0].chunk.document == "b.md"
    served.close()


def test_the_threshold_of_the_recipe_goes_before_the_fitted_one(folder: Path, store: Store) -> None:
    facts = json.loads((folder / "release.json").read_bytes())
    write(folder, {**facts, "answers": {"threshold": 1.1}})
    served = Served.load(folder, store.path)
    assert served.answer({"question": "Amak borish calov?"}) == {"answered": False, "documents": []}
    served.close()


def test_wrong_folders_and_requests_are_named(folder: Path, store: Store, tmp_path: Path) -> None:
    served = Served.load(folder, store.path)
    with pytest.raises(BadInput, match="no question"):
        served.answer({"query": "x"})
    served.close()
    with pytest.raises(BadInput, match="has no release"):
        Served.load(tmp_path / "elsewhere", store.path)
    write(folder, {"kind": "tabular"})
    with pytest.raises(BadInput, match="no documents release"):
        Served.load(folder, store.path)
    (folder / "release.json").write_text("{")
    with pytest.raises(BadInput, match="no documents release"):
        Served.load(folder, store.path)


def test_a_failing_part_leaves_nothing_open(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def piece(artifact: Artifact) -> Path:
        asked.append(artifact.kind)
        if artifact.kind == "weights":
            raise NotFound("gone")
        return store.path(artifact)

    closed: list[bool] = []
    monkeypatch.setattr(EdgeIndex, "close", lambda _: closed.append(True))
    with pytest.raises(NotFound):
        Served.load(folder, piece)
    assert asked == ["indexes", "weights"] and closed == [True]  # no model is loaded for an index that does not open


def test_a_client_whose_collection_is_not_there_is_closed(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = QdrantClient(":memory:")
    monkeypatch.setattr(server, "connect", lambda *_: client)
    with pytest.raises(Unavailable, match="0 of 3 points"):
        Served.load(folder, store.path, server=Server(url="http://127.0.0.1:9"))
    with pytest.raises(RuntimeError, match="closed"):
        client.get_collections()


def test_an_answer_needs_nothing_heavy(folder: Path) -> None:
    import subprocess
    import sys

    heavy = "prefect mlflow pandas pymupdf torch transformers openai".split()  # noqa: SIM905
    code = f"import sys, tasks.retrieval.served; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
