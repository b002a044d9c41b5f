"""A release folder to answers."""

import json
from pathlib import Path

import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput, NotFound
from tasks.language.served import TESTED, Served, answering, read_release
from tests.language.tiny import ANSWERS, write_model


@pytest.fixture
def release(tmp_path: Path, store: Store) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    model = store.put_folder("models", write_model(tmp_path / "model"))
    none = Artifact(uri="weights/none", digest="0" * 64, kind="weights")
    told = {"release": "course-chat", "base_name": "tiny", "generation": {"max_tokens": 9}}
    parts = {"base": model.model_dump(), "merged": model.model_dump(), "weights": none.model_dump()}
    (folder / "release.json").write_text(json.dumps(told | parts))
    return folder


def test_golden_requests_are_answered_and_the_same_twice(release: Path, store: Store) -> None:
    question = next(iter(ANSWERS))
    with answering(release, store) as answer:
        request = {"messages": [{"role": "user", "content": question}]}
        first = answer(request)
        assert first == answer(request) and set(first) == {"text"} and first["text"]
        with pytest.raises(BadInput, match="no conversation"):
            answer({"messages": []})
        with pytest.raises(BadInput, match="no conversation"):
            answer({"question": "a"})


def test_the_release_says_how_it_is_served(release: Path, store: Store) -> None:
    served = Served.load(release, store.path)
    assert served.release.generation.max_tokens == 9 and TESTED == 64
    served.close()


def test_what_is_no_release_is_told(release: Path, tmp_path: Path, store: Store) -> None:
    with pytest.raises(BadInput, match=r"no release\.json"):
        read_release(tmp_path)
    (tmp_path / "release.json").write_text('{"release": "a"}')
    with pytest.raises(BadInput, match="base_name"):
        read_release(tmp_path)
    (tmp_path / "release.json").write_text("{")
    with pytest.raises(BadInput, match="no assistant release"):
        read_release(tmp_path)
    next((store.root / "models").rglob("model.safetensors")).unlink()
    with pytest.raises(NotFound, match="models/"):
        Served.load(release, store.path)
